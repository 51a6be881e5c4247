"""A stand-in for Clerk: its truth in memory, its Backend API, and the webhooks it would send."""
