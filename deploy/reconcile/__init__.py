"""Reconcile: find where the tables have drifted from what Clerk has, and mend it."""
