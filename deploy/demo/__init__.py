"""The proof: invented webhooks through the real thing, and a look at what became of each."""
