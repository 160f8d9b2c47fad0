"""Each benchmark runs, and says what it is asked for; sizes are tiny, and figures mean nothing."""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks import create, disk, engine, grown, history, pages, resume, startup, waiting
from benchmarks.deployment import settings_of
from benchmarks.processes import ROOT
from tests.support.lab import preload

Figures = dict[str, Any]

COSTS = {"threads", "workflows", "per_second", "cpu_ms", "p50_ms", "p99_ms"}


def child(work: Callable[[], Iterable[Figures] | None], output: Path) -> list[Figures]:
    """What a process of its own prints, or returns: recipes and listeners are not left behind.

    It is forked, and has loaded what this one has.
    """
    process = os.fork()
    if process == 0:
        status = 1
        try:
            with output.open("w") as sys.stdout:
                for line in work() or ():
                    print(json.dumps(line))
            status = 0
        except BaseException:  # noqa: BLE001 - whatever it is, the child ends and says so
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(process, 0)
    assert status == 0
    lines: list[Figures] = [json.loads(line) for line in output.read_text().splitlines()]
    return lines


@pytest.fixture(scope="module", autouse=True)
def _loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In this process, once, what each child would load."""
    preload(tmp_path_factory.mktemp("loaded") / "lab")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


def test_engine_alone_and_with_fifty_at_once(url: str, tmp_path: Path) -> None:
    alone, crowd = child(lambda: engine.main([url, "2", "4"]), tmp_path / "said")
    assert alone["threads"] == 1
    assert crowd["threads"] == 50
    assert alone.keys() >= COSTS
    # Six tasks of which each is written down, but perhaps two that are independent.
    assert 6 <= alone["commits"] <= 12


def test_whole_creates_alone_and_with_clients(url: str, tmp_path: Path) -> None:
    lines = child(lambda: create.main(url, tmp_path, 2, 4, [1, 3]), tmp_path / "said")
    assert [(line["threads"], line["workflows"]) for line in lines] == [(1, 2), (1, 4), (3, 4)]
    assert all(line.keys() >= COSTS for line in lines)


def test_create_list_and_resume_with_a_history(url: str, tmp_path: Path) -> None:
    def work() -> None:
        history.add_finished(history.settings_of(url, tmp_path), 40)
        grown.main(url, tmp_path, 2)

    lines = child(work, tmp_path / "said")
    assert [line["subject"] for line in lines] == ["created", "listed", "resumed"]
    assert all(line["cpu_ms"] > 0 and line["p50_ms"] > 0 for line in lines)


def test_what_was_interrupted_goes_on_and_is_timed(url: str, tmp_path: Path) -> None:
    settings = settings_of(url, tmp_path)

    def work() -> Iterable[Figures]:
        history.add_interrupted(settings, 5)
        yield resume.main(settings, 0)
        yield resume.main(settings, 2, cold=True)

    first, more = child(work, tmp_path / "said")
    assert 0 < first["opened_ms"] < first["first_ms"]
    assert more["ended"] >= 2
    assert more["peak_mib"] >= more["before_mib"]


def test_memory_is_not_compared_before_enough_has_ended(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "_LONGEST", 0.0)
    settings = settings_of(url, tmp_path)

    def work() -> None:
        history.add_interrupted(settings, 2, "queued")
        with pytest.raises(SystemExit, match="only 0 of 1"):
            resume._wait(settings, 1, 0)

    assert child(work, tmp_path / "said") == []


def test_memory_of_what_waits(url: str, tmp_path: Path) -> None:
    settings = settings_of(url, tmp_path)
    (line,) = child(lambda: [waiting.main(settings, 20)], tmp_path / "said")
    assert line["operations"] == 20
    assert line["resident_mib"] > 0


def test_pages_that_drop_their_lines_miss_nothing(url: str, tmp_path: Path) -> None:
    """Of some builds at once; how soon they hear, and what they cost, `make bench` says."""
    lines = child(lambda: pages.main(url, tmp_path, 8, 3, 1, latency=0.05), tmp_path / "said")
    there, none = lines
    assert (there["listeners"], none["listeners"]) == (3, 0)
    assert there["events"] >= 8 * 20
    assert there["drops"] >= 3 * 3
    assert there["lost"] == 0
    assert there["cpu_seconds"] > 0


def test_starts_of_the_command(tmp_path: Path) -> None:
    lines = child(lambda: startup.main(1, tmp_path, 1), tmp_path / "said")
    assert [line["command"] for line in lines] == ["--help", "list"]
    assert all(line["cpu_seconds"] > 0 for line in lines)


def test_the_floor_of_the_disk(tmp_path: Path) -> None:
    lines = list(disk.main(tmp_path, None, 3))
    assert [line["what"] for line in lines] == ["fdatasync", "sqlite"]
    assert all(line.keys() >= COSTS for line in lines)


@pytest.mark.slow
def test_all_parts_together_end_with_a_verdict_on_each_target(tmp_path: Path) -> None:
    """As `make bench` does, but for the peers, which would be installed, and real guests."""
    parts = ["disk", "engine", "create", "history", "recovery", "workers", "pages", "startup"]
    options = ["--tiny", "--without-peers", "--only", ",".join(parts)]
    file = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", *options, "--output", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    verdicts: Mapping[str, Figures] = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == int(any(one["ok"] is False for one in verdicts.values())), done.stderr
    document = json.loads(file.read_text())
    assert document["missing"] == {}
    assert document["targets"] == verdicts
    unmeasured = {name for name, one in verdicts.items() if one["measured"] is None}
    assert all(
        "over_dbos" in name or "taskflow" in name or "libvirt" in name for name in unmeasured
    )
