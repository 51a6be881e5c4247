"""Find what pages show: rows of PostgreSQL and records of Kafka, as values."""
