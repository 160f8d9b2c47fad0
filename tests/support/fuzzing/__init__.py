"""Inputs that nobody would think of, for everything that takes what strangers have written.

A target makes inputs and says what became of one: refused with an error of ours, or accepted.
It escaped if it was accepted and something independent says that it should not have been; it
crashed if anything but an error of ours came out.
"""

from tests.support.fuzzing.tally import Outcome, Tally
from tests.support.fuzzing.targets import TARGETS, Target, made

__all__ = ["TARGETS", "Outcome", "Tally", "Target", "made"]
