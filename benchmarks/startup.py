"""How long the command takes to say something.

    python -m benchmarks.startup [TIMES]

Runs `vmwright --help` and `vmwright list` in processes of their own, in turn, and prints one JSON
line for each: the median of seconds and of CPU seconds. The list is of ten instances on SQLite.
"""

import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.deployment import build, configured, opened, settings_of
from benchmarks.meter import Figures
from benchmarks.processes import Child, directory, run

_INSTANCES = 10
COMMANDS = ("--help", "list")


def main(times: int, home: Path, instances: int = _INSTANCES) -> Iterator[Figures]:
    settings = settings_of(f"sqlite:///{home / 'store.db'}", home)
    with opened(settings) as controller:
        for _ in range(instances):
            build(controller)
    config = configured(settings)
    command = [str(Path(sys.executable).with_name("vmwright")), "--config-file", str(config)]
    ended: dict[str, list[Child]] = {word: [] for word in COMMANDS}
    for _ in range(times):
        for word in COMMANDS:
            ended[word].append(run(*command, word, quiet=True))
    for word, children in ended.items():
        yield {
            "subject": "startup",
            "command": word,
            "seconds": round(statistics.median(child.seconds for child in children), 4),
            "cpu_seconds": round(statistics.median(child.cpu_seconds for child in children), 4),
        }


if __name__ == "__main__":
    with directory() as place:
        for line in main(int((sys.argv[1:] or ["10"])[0]), place):
            print(json.dumps(line))
