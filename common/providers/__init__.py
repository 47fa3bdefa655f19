"""The providers a request can be sent to, and how each is spoken to."""
