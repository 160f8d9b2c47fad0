"""What Prometheus asks of a service: what has happened, counted, and how things stand."""

from vmwright.metrics.exposition import Metrics

__all__ = ["Metrics"]
