"""Which host an instance goes to, decided from values alone: filters refuse, weighers order."""
