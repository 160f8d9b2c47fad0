"""Compares store and hosts, both ways, and removes what surely nobody needs.

`sightings` looks at hosts, `books` at the store, `verdicts` judges and is pure, `repair` acts.
"""

from vmwright.reconcilers.audit.looking import Audit
from vmwright.reconcilers.audit.repair import Repair, Repaired, keep_clean
from vmwright.reconcilers.audit.verdicts import QUIET, Finding, Verdict

__all__ = ["QUIET", "Audit", "Finding", "Repair", "Repaired", "Verdict", "keep_clean"]
