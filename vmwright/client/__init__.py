"""A controller at the other end of HTTP: the same methods, asked of a service."""
