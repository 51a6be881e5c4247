"""`clerkwork maintain`: what time alone does to users, sessions and the ledger."""
