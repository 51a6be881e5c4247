"""Where personal data is: every column, record and other place, for how long, and what erases it."""
