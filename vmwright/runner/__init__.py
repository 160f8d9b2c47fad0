"""Drives TaskFlow engines: the only package that knows them.

The laws of a run live here. Before a task begins, one fenced transaction says so, together with
all that ended before. A failing undo never becomes TaskFlow's REVERT_FAILURE: its task stays
REVERTING and the run is suspended. REVERTED is written only if everything was taken back.
"""

from vmwright.runner.active import Active
from vmwright.runner.assignment import Assignment, Outcome, identity_of
from vmwright.runner.compiled import CompiledFlow, CompiledFlows
from vmwright.runner.engine import drive

__all__ = [
    "Active",
    "Assignment",
    "CompiledFlow",
    "CompiledFlows",
    "Outcome",
    "drive",
    "identity_of",
]
