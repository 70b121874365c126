"""The wire contract: the messages on Kafka, independent of their producers and consumers."""
