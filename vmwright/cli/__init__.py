"""The command `vmwright`."""
