"""The pages on which an authority answers, and the interface that its own systems read."""
