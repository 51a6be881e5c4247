"""Where personal data is, in every table, topic and elsewhere, and what erases it."""
