"""Runs what the documents show: CONTRIBUTING.md says how a page tells what it needs."""
