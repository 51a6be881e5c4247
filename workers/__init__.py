"""From Kafka to PostgreSQL: consume batches, decode, apply in one transaction, park the bad."""
