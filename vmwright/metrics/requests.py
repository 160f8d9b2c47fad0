"""Answers on HTTP, counted."""

from prometheus_client import CollectorRegistry, Histogram

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class Requests:
    """By route, and never by what stands in a path."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "vmwright_http_request_seconds",
            "From the head of a request to the end of its answer, also of streams.",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """One more."""
        self._seconds.labels(method, route, str(status)).observe(seconds)
