"""The desk: clerkwork in a browser, for operators, served by a process of its own."""
