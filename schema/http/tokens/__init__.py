"""Session tokens of Clerk: the keys they are signed with, what they claim, who is calling."""
