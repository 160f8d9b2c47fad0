"""Loops that keep reality like the wish. Idempotent; they take no input."""
