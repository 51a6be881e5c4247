"""The canary: an event of our own that goes the whole way, over and over, and tells how long."""
