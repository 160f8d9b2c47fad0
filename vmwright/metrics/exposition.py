"""All metrics of one service, and the text in which they are told."""

from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

from vmwright.feed import Feed
from vmwright.metrics.gauges import Gauges
from vmwright.metrics.happenings import Happenings
from vmwright.metrics.requests import Requests
from vmwright.overview import Overview


class Metrics:
    """Begins to count when it is made. Thread-safe."""

    def __init__(self, overview: Overview, feed: Feed) -> None:
        # When a counter began is told by `process_start_time_seconds`.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        Info("vmwright_build", "What runs here.", registry=registry).info(
            {"version": version("vmwright")}
        )
        registry.register(Gauges(overview, feed))
        self.requests = Requests(registry)
        happenings = Happenings(registry, overview)
        feed.hear(happenings.count)

    def told(self, accepted: str) -> tuple[bytes, str]:
        """Everything, in the format that suits the header `Accept`, and its media type."""
        encode, media_type = choose_encoder(accepted)
        return encode(self._registry), media_type
