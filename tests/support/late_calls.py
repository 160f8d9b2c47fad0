"""Calls to simulated hosts that were sent and have not landed, and the time until they do."""

import json
from pathlib import Path

from tests.support.lab import Lab


def calls_under_way(lab: Lab) -> list[Path]:
    """The file of each, of every host."""
    return sorted(lab.world_root.glob("hosts/*/jobs/*.json"))


def have_calls_land(lab: Lab) -> None:
    """Their time has come: each lands before the next thing that its host is asked.

    Nobody may be at work on the host.
    """
    for path in calls_under_way(lab):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"due": 0}))
