"""The door: verify Clerk's signed webhooks and put them on Kafka, thinly and durably."""
