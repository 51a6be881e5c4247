"""Rate limits: what a route takes from one source, one user, one organization, in a window."""
