"""Walk through what Clerk has: page by page, while it changes."""
