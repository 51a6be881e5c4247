"""Connect: walks a person through connecting an instance of Clerk's, each step proved."""
