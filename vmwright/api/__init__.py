"""The service's HTTP API: what a controller can do, for callers who show a token."""
