"""The cache: public answers, kept in memory until what they tell of changes."""
