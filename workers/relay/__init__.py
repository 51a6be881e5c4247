"""The relay: what workers tell in PostgreSQL's outbox, in its order on Kafka's change topics."""
