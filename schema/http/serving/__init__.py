"""Serving: how connections are taken, bounded and ended, below what aiohttp calls requests."""
