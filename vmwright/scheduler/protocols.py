"""What filters and weighers promise. Others may add theirs: docs/reference/scheduling.md."""

from typing import Protocol, runtime_checkable

from vmwright.scheduler.values import HostState, RequestSpec


@runtime_checkable
class Filter(Protocol):
    """A rule that a host keeps or not. Pure and without state: all threads share one object.

    Found among the entry points ``vmwright.scheduler.filters``, which call it without arguments.
    """

    name: str
    """That of its entry point; the configuration and refusals say it."""

    def why_not(self, host: HostState, request: RequestSpec) -> str | None:
        """None if the instance may go there, else the reason: with figures, and without the
        host's name, which readers see before it."""


@runtime_checkable
class Weigher(Protocol):
    """A preference among the hosts that all filters let pass. Pure and without state.

    Found among the entry points ``vmwright.scheduler.weighers``, which call it without arguments.
    """

    name: str

    def weigh(self, host: HostState, request: RequestSpec) -> float:
        """More for the better host, in any unit: the scheduler scales what it gets."""
