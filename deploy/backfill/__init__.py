"""Backfill: all that Clerk has, published as snapshots, page by page."""
