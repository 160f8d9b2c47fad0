"""Measures, prints, writes JSON, and says whether each target is met: `make bench`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks.documents import RECORD, write_documents
from benchmarks.facts import facts_of
from benchmarks.postgresql import Missing, PostgreSQL, serving
from benchmarks.processes import ROOT
from benchmarks.results import Results
from benchmarks.sizes import FULL, TINY
from benchmarks.suite import PARTS, Bench, run_parts
from benchmarks.tables import report
from benchmarks.targets import is_missed, verdicts

RESULTS = ROOT / "benchmarks" / "results"


def chosen(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", type=parts, default=frozenset(PARTS), help="with commas between")
    parser.add_argument("--rounds", type=int, help="how often each is measured")
    parser.add_argument("--tiny", action="store_true", help="only to see that it runs")
    parser.add_argument("--history", type=int, help="the longest history")
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--without-postgresql", action="store_true")
    parser.add_argument("--output", type=Path, help="file for the JSON; else in benchmarks/results")
    parser.add_argument("--record", action="store_true", help="have the documents say so")
    options = parser.parse_args(words)
    if options.record and (options.tiny or options.only != frozenset(PARTS)):
        parser.error("--record is for whole runs")
    return options


def parts(text: str) -> frozenset[str]:
    names = frozenset(text.split(","))
    if names - PARTS.keys():
        raise argparse.ArgumentTypeError(f"choose from {', '.join(PARTS)}")
    return names


def main() -> int:
    options = chosen()
    sizes = TINY if options.tiny else FULL
    if options.rounds:
        sizes = replace(sizes, rounds=options.rounds)
    if options.history:
        shorter = [size for size in sizes.history if size < options.history]
        sizes = replace(sizes, history=(*shorter, options.history))
    results = Results()
    with ExitStack() as stack:
        known = None if options.without_postgresql else server(results, stack)
        results.facts = {**facts_of(known), "rounds": sizes.rounds, "parts": sorted(options.only)}
        results.facts["tiny"] = options.tiny
        bench = Bench(sizes=sizes, results=results, server=known, peers=not options.without_peers)
        run_parts(bench, options.only)
    results.facts["load_after"] = round(os.getloadavg()[0], 2)
    found = verdicts(results, options.only)
    output = RECORD if options.record else options.output
    file = written(results.to_json() | {"targets": found}, output)
    if options.record:
        write_documents()
    print(report(results))
    print(f"written: {file}", flush=True)
    print(json.dumps(found))
    return 1 if is_missed(found) else 0


def server(results: Results, stack: ExitStack) -> PostgreSQL | None:
    """PostgreSQL for as long as the stack lasts; None where it is not here."""
    try:
        return stack.enter_context(serving())
    except Missing as error:
        results.missing["postgresql"] = str(error)
        return None


def written(document: dict[str, object], output: Path | None) -> Path:
    """Where it was written to."""
    file = output or RESULTS / f"{str(document['facts']['made_at']).replace(' ', '-')}.json"  # type: ignore[index]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=1) + "\n")
    return file


if __name__ == "__main__":
    sys.exit(main())
