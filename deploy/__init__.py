"""Everything between a clean machine and a running clerkwork: install, start, operate."""
