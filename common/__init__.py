"""Everything that decides something: what it means to answer a request."""
