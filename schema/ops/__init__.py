"""Promises to the operator: settings, log lines, metrics, probes."""
