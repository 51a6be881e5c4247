"""Promises on Kafka: topics, record headers, Clerk's events."""
