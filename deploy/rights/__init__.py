"""Who may do what: rights of each process in PostgreSQL and in Kafka, declared and put in place."""
