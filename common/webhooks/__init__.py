"""Webhooks: the end of a job, told to whom it concerns, signed, and at least once."""
