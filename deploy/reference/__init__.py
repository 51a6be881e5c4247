"""Pages for looking things up, written from the code that they are about."""
