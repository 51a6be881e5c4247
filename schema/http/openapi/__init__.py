"""The description of an HTTP service, made from its endpoints: OpenAPI, and pages for people."""
