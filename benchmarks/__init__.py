"""Benchmarks of vmwright and of its peers; see README.md. `make bench` runs them all."""
