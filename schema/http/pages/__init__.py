"""Pages for people: plain HTML that runs nothing and fetches nothing."""
