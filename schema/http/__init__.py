"""Promises over HTTP: the error envelope and the request id."""
