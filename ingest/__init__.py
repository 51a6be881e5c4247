"""The door: signed webhooks of Clerk's and commands of users onto Kafka, thinly and durably."""
