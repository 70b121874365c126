"""The wire contract: what travels on Kafka, and nothing of how it is made or used."""
