"""Where the CPU time of a whole create goes, by layer.

    python -m benchmarks.profile_create [BUILDS] [--functions N] [--record NAME]

Builds one instance after another on SQLite and simulated hosts, first as it is, for what it costs,
and then under yappi, for the shares: a profiler makes calls dearer than they are, so that its
seconds are not ours. Prints one JSON line; `--functions` also lists where most time is spent, and
`--record` keeps the line under this name in docs/profiles.json, in the place of an older one.
"""

import argparse
import json
import sys
from typing import Any

import yappi

from benchmarks.deployment import build, opened, settings_of, warm
from benchmarks.layers import seconds_by_layer
from benchmarks.meter import Figures, measure
from benchmarks.processes import ROOT, directory
from vmwright import Controller

PROFILES = ROOT / "docs" / "profiles.json"
_WARMING = 10


def main(controller: Controller, builds: int, functions: int) -> Figures:
    warm(controller, _WARMING)
    cpu_ms = measure(lambda _: build(controller), builds, 1)["cpu_ms"]
    stats = _profiled(controller, builds)
    if functions:
        stats.stream = sys.stderr
        stats.sort_stats("tottime").print_stats(functions)
    seconds = seconds_by_layer(stats.stats)
    whole = sum(seconds.values())
    return {
        "builds": builds,
        "cpu_ms": cpu_ms,
        "layers": {layer: round(cpu_ms * own / whole, 3) for layer, own in seconds.items()},
    }


def record(name: str, figures: Figures) -> None:
    known = json.loads(PROFILES.read_text()) if PROFILES.exists() else {}
    known[name] = figures
    PROFILES.write_text(json.dumps(known, indent=1) + "\n")


def _profiled(controller: Controller, builds: int) -> Any:
    """What `pstats` has, of all threads."""
    yappi.set_clock_type("cpu")
    yappi.start()
    try:
        for _ in range(builds):
            build(controller)
    finally:
        yappi.stop()
    return yappi.convert2pstats(yappi.get_func_stats())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("builds", type=int, nargs="?", default=200)
    parser.add_argument("--functions", type=int, default=0, metavar="N")
    parser.add_argument("--record", metavar="NAME")
    chosen = parser.parse_args()
    with directory() as place:
        url = f"sqlite:///{place / 'store.db'}"
        with opened(settings_of(url, place)) as deployed:
            figures = main(deployed, chosen.builds, chosen.functions)
    print(json.dumps(figures))
    if chosen.record:
        record(chosen.record, figures)
