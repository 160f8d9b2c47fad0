"""How what was measured is counted, compared and shown."""

import sqlite3
import sys
from pathlib import Path
from shutil import which

import psycopg
import pytest

from benchmarks import postgresql
from benchmarks.__main__ import chosen
from benchmarks.charts import clients_chart, history_chart, peers_chart
from benchmarks.contest import Contestant, Stores, alternate
from benchmarks.documents import write_documents
from benchmarks.layers import seconds_by_layer
from benchmarks.processes import directory, run
from benchmarks.results import Results
from benchmarks.syncs import count, traced
from benchmarks.tables import Table, number, report
from benchmarks.targets import TARGETS, is_missed, verdicts
from tests.support.databases import missing
from tests.support.xml_reader import read

WANTED = {
    "engine_sqlite_alone_over_dbos": (">=", 4),
    "engine_sqlite_crowd_over_dbos": (">=", 6),
    "engine_sqlite_alone_over_taskflow": (">=", 40),
    "engine_sqlite_cpu_over_dbos": ("<=", 0.3),
    "engine_postgresql_alone_over_dbos": (">=", 2.5),
    "engine_postgresql_crowd_over_dbos": (">=", 5),
    "engine_sqlite_cpu_ms": ("<=", 3),
    "engine_sqlite_commits": ("<=", 8),
    "create_cpu_ms": ("<=", 5),
    "create_commits": ("<=", 8),
    "create_per_second": (">=", 100),
    "create_rate_over_nova": (">=", 30),
    "create_cpu_over_nova": ("<=", 0.01667),
    "history_created": ("<=", 1.1),
    "history_listed": ("<=", 1.1),
    "history_resumed": ("<=", 1.1),
    "recovery_first_seconds": ("<=", 0.2),
    "recovery_memory": ("<=", 1.1),
    "waiting_kib": ("<=", 50),
    "libvirt_over_bare_script": ("<=", 1.05),
    "libvirt_uploads_of_ten": ("<=", 1),
    "pages_sqlite_p99_ms": ("<=", 1000),
    "pages_sqlite_lost": ("<=", 0),
    "pages_sqlite_cpu": ("<=", 0.15),
    "pages_postgresql_p99_ms": ("<=", 1000),
    "pages_postgresql_lost": ("<=", 0),
    "pages_postgresql_cpu": ("<=", 0.15),
    "startup_help_seconds": ("<=", 0.3),
    "startup_list_seconds": ("<=", 0.5),
}

PEER = """
import json, sys
import sqlalchemy as sa
from benchmarks.counting import Statements, listen
from benchmarks.peers import write_ahead
listen(Statements())
if sys.argv[2] == "dbos-wal":
    write_ahead()
with sa.create_engine(f"sqlite:///{sys.argv[1]}").connect() as connection:
    asked = ("journal_mode", "synchronous")
    print(json.dumps({what: connection.scalar(sa.text(f"PRAGMA {what}")) for what in asked}))
"""

COMMITS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
if sys.argv[3] == "wal":
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 20")
connection.execute("CREATE TABLE things (text)")
for number in range(int(sys.argv[2])):
    connection.execute("INSERT INTO things VALUES (hex(randomblob(4000)))")
"""


@pytest.mark.parametrize(("peer", "journal"), [("dbos", "delete"), ("dbos-wal", "wal")])
def test_peers_are_as_durable_while_their_statements_are_counted(
    peer: str, journal: str, tmp_path: Path
) -> None:
    child = run(sys.executable, "-c", PEER, str(tmp_path / "store.db"), peer)
    assert child.line == {"journal_mode": journal, "synchronous": 2}


def test_every_target_is_there_with_its_bound() -> None:
    known = {one.name: (one.relation, one.bound) for those in TARGETS.values() for one in those}
    assert known == WANTED


def test_a_target_is_met_missed_or_not_asked_for() -> None:
    results = Results()
    for command, seconds in (("--help", [0.1, 0.9, 0.2]), ("list", [0.7])):
        for one in seconds:
            results.add(f"startup/{command}", {"seconds": one})
    found = verdicts(results, {"startup", "engine"})
    assert found["startup_help_seconds"]["measured"] == 0.2
    assert found["startup_help_seconds"]["ok"] is True
    assert found["startup_list_seconds"]["ok"] is False
    assert found["engine_sqlite_cpu_ms"]["ok"] is False
    assert found["create_cpu_ms"] == {
        "measured": None,
        "bound": 5,
        "relation": "<=",
        "ok": None,
        "why": "not asked for",
    }
    assert is_missed(found)
    assert not is_missed(verdicts(Results(), set()))


def test_why_a_part_could_not_be_measured_is_said() -> None:
    results = Results(missing={"libvirt": "root is needed"})
    found = verdicts(results, {"libvirt"})["libvirt_uploads_of_ten"]
    assert (found["ok"], found["why"]) == (False, "root is needed")


@pytest.mark.parametrize("name", ["create", "create/sqlite/vmwright"])
def test_no_target_is_met_of_what_did_not_come_to_an_end_in_every_round(name: str) -> None:
    results = Results(missing={name: "it is locked"})
    results.add("create/sqlite/vmwright/alone", {"cpu_ms": 1.0})
    found = verdicts(results, {"create"})["create_cpu_ms"]
    assert (found["measured"], found["ok"], found["why"]) == (1.0, False, "it is locked")
    assert "**no**" in report(results)


def test_a_target_is_met_beside_a_peer_that_failed_once() -> None:
    results = Results(missing={"engine/sqlite/dbos": "it is locked"})
    results.add("engine/sqlite/vmwright/alone", {"cpu_ms": 1.0})
    assert verdicts(results, {"engine"})["engine_sqlite_cpu_ms"]["ok"] is True


def test_a_contestant_that_fails_keeps_no_other_from_the_work() -> None:
    results = Results()
    script = 'import json; print(json.dumps({"threads": 1, "workflows": 1}))'
    contestants = [
        Contestant(name=name, command=command, alone=1, crowd=0)
        for name, command in (
            ("broken", lambda *_: [sys.executable, "-c", "raise SystemExit('it is locked')"]),
            ("whole", lambda *_: [sys.executable, "-c", script]),
        )
    ]
    alternate(results, "engine", Stores(None), contestants, rounds=2)
    assert results.missing.keys() == {"engine/sqlite/broken"}
    assert results.missing["engine/sqlite/broken"].endswith("it is locked")
    assert len(results.rounds["engine/sqlite/whole/alone"]) == 2


def test_results_survive_json() -> None:
    results = Results(facts={"cores": 2}, missing={"libvirt": "why"})
    results.add("waiting", {"kib_each": 1.5})
    results.add("waiting", {"kib_each": 2.5})
    again = Results.from_json(results.to_json())
    assert again == results
    assert results.to_json()["medians"] == {"waiting": {"kib_each": 2.0}}


@pytest.mark.skipif(which("strace") is None, reason="strace is missing: apt install strace")
@pytest.mark.parametrize("commits", [10, 60])
@pytest.mark.parametrize("journal", ["wal", "as it comes"])
def test_commits_are_those_that_sqlite_made(journal: str, commits: int, tmp_path: Path) -> None:
    """Checkpoints sync the log too, as others sync rollback journals: neither is a commit."""
    database = tmp_path / "things.db"
    _, syncs = traced(sys.executable, "-c", COMMITS, str(database), str(commits), journal)
    assert sqlite3.connect(database).execute("SELECT count(*) FROM things").fetchone() == (commits,)
    switching = journal == "wal"  # to a write-ahead log, in the last transaction with a journal
    assert syncs.commits == commits + 1 + switching
    assert syncs.others > commits // 20


def test_a_call_that_another_thread_interrupts_is_counted_once() -> None:
    lines = [
        "7 pwrite64(5</s.db-wal>, ..., 24, 32 <unfinished ...>",
        "8 fdatasync(9</other> <unfinished ...>",
        "7 <... pwrite64 resumed>) = 24",
        "7 fdatasync(5</s.db-wal> <unfinished ...>",
        "8 <... fdatasync resumed>) = 0",
        "7 <... fdatasync resumed>) = 0",
        "7 pwrite64(5</s.db-wal>, ..., 32, 0) = 32",
        "7 fdatasync(5</s.db-wal>) = 0",
    ]
    syncs = count(lines)
    assert (syncs.commits, syncs.others) == (1, 2)


@pytest.mark.slow
@pytest.mark.postgresql
def test_syncs_of_postgresql_are_its_commits() -> None:
    if reason := missing("postgresql"):
        pytest.skip(reason)
    with postgresql.serving() as server:
        url = server.database()
        before = server.counters(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE things (number integer)")
            for one in range(50):
                connection.execute("INSERT INTO things VALUES (%s)", [one])
        after = server.counters(url)
        # It may sync by itself meanwhile.
        assert 51 <= after.syncs - before.syncs <= 54
        assert after.commits - before.commits >= 51
        assert after.cpu_seconds > before.cpu_seconds


def test_time_of_a_library_is_its_callers() -> None:
    top = ("/x/vmwright/tasks/guest.py", 1, "execute")
    helper, leaf = ("/usr/lib/json/encoder.py", 1, "encode"), ("~", 0, "<built-in sort>")
    execute = ("/x/site-packages/sqlalchemy/engine/base.py", 1, "execute")
    stats = {
        top: (1, 1, 1.0, 10.0, {}),
        helper: (2, 2, 2.0, 4.0, {top: (1, 1, 1.0, 3.0), execute: (1, 1, 1.0, 1.0)}),
        leaf: (1, 1, 4.0, 4.0, {helper: (1, 1, 4.0, 4.0)}),
        execute: (1, 1, 3.0, 4.0, {top: (1, 1, 3.0, 4.0)}),
        ("~", 0, "<built-in lone>"): (1, 1, 0.5, 0.5, {}),
    }
    found = seconds_by_layer(stats)
    assert found["tasks"] == pytest.approx(1.0 + 0.75 * (2.0 + 4.0))
    assert found["database"] == pytest.approx(3.0 + 0.25 * (2.0 + 4.0))
    assert found["other"] == pytest.approx(0.5)


def test_functions_that_call_each_other_are_followed_to_an_end() -> None:
    one, two = ("/usr/lib/copy.py", 1, "deepcopy"), ("/usr/lib/copy.py", 9, "_deepcopy_dict")
    task = ("/x/vmwright/tasks/guest.py", 1, "execute")
    stats = {
        one: (3, 1, 1.0, 2.0, {two: (2, 2, 0.5, 1.0), task: (1, 1, 0.5, 2.0)}),
        two: (2, 1, 1.0, 2.0, {one: (2, 2, 1.0, 2.0)}),
        task: (1, 1, 0.0, 2.0, {}),
    }
    assert seconds_by_layer(stats)["tasks"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "-"), (1234.5, "1,234"), (12.34, "12.3"), (0.1234, "0.12")]
)
def test_numbers_are_short(value: float | None, shown: str) -> None:
    assert number(value) == shown


def test_columns_of_a_table_line_up() -> None:
    table = Table(title="t", head=["a", "b"], rows=[["longer", "1"], ["x", "22.5"]])
    lines = table.markdown().splitlines()
    assert lines[0] == "| a      |    b |"
    assert lines[1] == "| ------ | ---: |"
    assert len({len(line) for line in lines}) == 1


def test_report_of_nothing_says_what_is_missing() -> None:
    assert report(Results(missing={"engine": "pip failed"})) == "engine: pip failed"


@pytest.mark.parametrize("draw", [clients_chart, history_chart, peers_chart])
def test_pictures_are_whole_also_with_nothing_to_show(draw: object) -> None:
    assert callable(draw)
    assert read(draw(Results())).tag.endswith("svg")


def test_documents_say_what_was_recorded() -> None:
    """Run: python -m benchmarks.documents"""
    assert write_documents(check=True) == []


def test_a_run_of_some_parts_is_not_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        chosen(["--record", "--only", "disk"])
    assert "whole runs" in capsys.readouterr().err


def test_a_directory_is_gone_afterwards() -> None:
    with directory() as place:
        (place / "file").touch()
    assert not place.exists()
