"""Clerk's Backend API, as far as we read it; nothing here ever writes there."""
