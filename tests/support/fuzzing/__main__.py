"""Fuzzes for some seconds and prints a line of figures for each target; see scripts/fuzz."""

import argparse
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.support.fuzzing import TARGETS, Outcome, Tally, made

_BATCH = 200


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/fuzz")
    parser.add_argument("seconds", type=float, help="for how long, all targets together")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--only", choices=TARGETS, action="append", default=[])
    chosen = parser.parse_args()
    names = chosen.only or list(TARGETS)
    tallies = {name: Tally() for name in names}
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vmwright-fuzz-")))
        for name in names:
            target = stack.enter_context(made(name, home / name.replace(" ", "-")))
            ends, seed = time.monotonic() + chosen.seconds / len(names), chosen.seed
            while time.monotonic() < ends:
                target.run(tallies[name], examples=_BATCH, seeded=seed)
                seed += 1
            print(f"{name}: {tallies[name]} seed={chosen.seed}", flush=True)
            for bad in tallies[name].bad:
                print(bad, file=sys.stderr)
    bad = sum(t.counts[o] for t in tallies.values() for o in (Outcome.ESCAPED, Outcome.CRASHED))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
