"""Things as users of the service see them: what it answers, and what its client reads."""
