"""Traces: from the request that brought an event to the record that tells of its change."""
