"""What a council's system uses to publish its plans: JSONL, OCDS and contract-register CSV in, plan events out."""
