"""Try what `migrate` would do on a copy, and tell how long it takes and whom it stops."""
