"""The door for commands: what signed-in users ask for, checked, given its ids, put on Kafka."""
