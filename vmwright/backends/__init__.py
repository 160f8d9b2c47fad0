"""The outside that tasks change: protocols by noun, and their implementations."""
