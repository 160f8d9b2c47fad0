"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Numbers of workflows, builds and operations."""

    rounds: int
    engine: tuple[int, int]
    """One at a time, and 50 at once."""
    dbos: tuple[int, int]
    taskflow: tuple[int, int]
    create: tuple[int, int]
    counted: int
    """Counted twice: with so many, and with three times as many."""
    clients: tuple[int, ...]
    history: tuple[int, ...]
    """Finished operations, rising."""
    calls: int
    """Of create and of resume, in each round; a list is asked for a fifth as often."""
    interrupted: tuple[int, int]
    """Few, and many."""
    ended: int
    """How many of those go on to their end before memory is compared."""
    waiting: int
    starts: int
    builds: int
    """Of each number of workers."""
    pages: tuple[int, int]
    """Operations at once, and open pages."""
    guests: int
    """Real ones, by each of those that build them."""


FULL = Sizes(
    rounds=3,
    engine=(300, 900),
    dbos=(100, 200),
    taskflow=(15, 50),
    create=(150, 450),
    counted=20,
    clients=(1, 2, 4, 8, 16, 32, 64),
    history=(0, 10_000, 100_000, 1_000_000),
    calls=100,
    interrupted=(100, 10_000),
    ended=90,
    waiting=10_000,
    starts=7,
    builds=400,
    pages=(200, 20),
    guests=7,
)

TINY = Sizes(
    rounds=1,
    engine=(2, 4),
    dbos=(2, 4),
    taskflow=(1, 2),
    create=(2, 4),
    counted=1,
    clients=(1, 2),
    history=(0, 100),
    calls=2,
    interrupted=(4, 40),
    ended=2,
    waiting=100,
    starts=1,
    builds=4,
    pages=(6, 2),
    guests=1,
)
"""To see that it runs; its figures mean nothing."""
