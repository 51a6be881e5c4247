"""What the services agree on, arranged by the outside party each promise is made to."""
