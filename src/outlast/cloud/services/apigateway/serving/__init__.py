"""The data plane: what happens to a request that arrives for an API."""
