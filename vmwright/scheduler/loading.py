"""Finding the filters and weighers that the configuration names, among all that are installed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from vmwright.errors import InvalidRequest
from vmwright.plugins import load_plugins
from vmwright.scheduler.protocols import Filter, Weigher
from vmwright.scheduler.scheduler import Scheduler
from vmwright.scheduler.weighers import FreeRoom
from vmwright.settings import SchedulerSettings


def load_scheduler(settings: SchedulerSettings) -> Scheduler:
    """The scheduler that `settings` describe. Raises what `load_plugins` does, and
    `InvalidRequest` for a plug-in that is none."""
    return Scheduler(
        filters=load_filters(settings.enabled_filters),
        weighers=load_weighers(settings.weight_multipliers, pack_room=settings.placement == "pack"),
    )


def load_filters(names: Sequence[str]) -> list[Filter]:
    """The filters of these names, in this order."""
    return _made("filter", list(dict.fromkeys(names)), Filter)


def load_weighers(
    multipliers: Mapping[str, float], *, pack_room: bool = False
) -> list[tuple[Weigher, float]]:
    """The weighers that are named, each with its multiplier; `pack_room` prefers full hosts."""
    for name, multiplier in multipliers.items():
        if not math.isfinite(multiplier):
            raise InvalidRequest(f"weigher {name!r} counts {multiplier}, which is no number")
    weighers: list[Weigher] = _made("weigher", list(multipliers), Weigher)
    return [
        (weigher, -multiplier if pack_room and isinstance(weigher, FreeRoom) else multiplier)
        for weigher, multiplier in zip(weighers, multipliers.values(), strict=True)
    ]


def _made(noun: str, names: Sequence[str], protocol: Any) -> list[Any]:
    made = [plugin() for plugin in load_plugins(f"vmwright.scheduler.{noun}s", noun, names)]
    for name, one in zip(names, made, strict=True):
        if not isinstance(one, protocol) or one.name != name:
            raise InvalidRequest(
                f"{noun} {name!r} cannot be used: {type(one).__qualname__} has not the name and "
                f"the methods of a {noun}",
                hint="correct the plug-in, or leave it out of the configuration",
            )
    return made
