"""Calls that nobody waits for any more, and that may still land."""

from taskflow import states as taskflow_states

from vmwright.persistence.logbook import LATE
from vmwright.persistence.unit_of_work import UnitOfWork

_UNDER_WAY = frozenset({taskflow_states.RUNNING, taskflow_states.REVERTING})


class Lateness:
    """Which tasks made such a call, in this run or in one before it, and in which attempt.

    The undo of that attempt waits for it on that attempt's host, or leaves it to a debt: an
    attempt on another host has nothing to do with it. Thread-safe.
    """

    def __init__(self, work: UnitOfWork, *, cut_off: bool) -> None:
        """`cut_off` says whether the process that ran this before died."""
        self._work = work
        self._attempts = {
            name: atom.meta[LATE] for name, atom in work.atoms.items() if LATE in atom.meta
        }
        if cut_off:
            for name, atom in work.atoms.items():
                if atom.state in _UNDER_WAY:
                    self.remember(name, work.attempt)

    def concerns(self, task: str, attempt: int) -> bool:
        """Whether a call that this task made in this attempt may still land."""
        return bool(self._attempts.get(task) == attempt)

    def remember(self, task: str, attempt: int) -> None:
        """Also for a run that goes on with this one, which may end before it has waited."""
        self._attempts[task] = attempt
        self._work.remark(task, **{LATE: attempt})
