"""Calls whose caller has gone and whose effect has not come yet."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from vmwright.backends.simulated.world import Folder, HostFiles, Record
from vmwright.ids import new_id


@dataclass(frozen=True, kw_only=True)
class Change:
    """A call that changes the host, as data."""

    verb: str
    key: str
    """What it is done to: a guest's uuid, a volume's or base's name, a network, a MAC on one."""
    record: Record
    """All that the effect needs."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A change that lands when it is due."""

    job: str
    due: float
    """Seconds on the wall clock: the process that lands it need not be the one that sent it."""
    change: Change


def send(files: HostFiles, change: Change, seconds: float) -> None:
    """Have the change land that much later. Only under the host's turn."""
    key = new_id()
    files.put(Folder.JOBS, key, {"due": time.time() + seconds, "change": asdict(change)})


def under_way(files: HostFiles) -> Sequence[Job]:
    """Every job that has not landed, in the order in which they are due."""
    keys = files.keys(Folder.JOBS)
    found = [(key, files.find(Folder.JOBS, key)) for key in keys]
    jobs = [
        Job(job=key, due=record["due"], change=Change(**record["change"]))
        for key, record in found
        if record is not None
    ]
    return sorted(jobs, key=lambda job: (job.due, job.job))


def seconds_until_idle(waiting: Sequence[Job], key: str) -> float:
    """Seconds until the last of these jobs that is on this key is due; 0.0 without one."""
    dues = [job.due for job in waiting if job.change.key == key]
    return max(0.0, max(dues) - time.time()) if dues else 0.0


def by_turn(files: HostFiles) -> tuple[Sequence[Job], Sequence[Job]]:
    """What must land now, and what must wait."""
    now, known = time.time(), under_way(files)
    return [job for job in known if job.due <= now], [job for job in known if job.due > now]


def drop(files: HostFiles, job: Job) -> None:
    files.remove(Folder.JOBS, job.job)
