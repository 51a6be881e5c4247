"""`clerkwork rebuild`: make the tables anew from Kafka, compare, and put them in their place."""
