"""An audit among all kinds of things: each is told for what it is, and only what is left over goes.

What is there before and after is read from files and rows.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import lab as labs
from tests.support.audit_kinds import KINDS, Kind
from tests.support.lab import Lab, copy_of
from tests.support.seeded import Row, Seeder, Traces


@dataclass
class Seeded:
    """A deployment with one thing of each kind."""

    lab: Lab
    made: list[tuple[Kind, Traces]]
    locked: set[str]

    def __post_init__(self) -> None:
        self.seeder = Seeder(self.lab, self.locked)
        self.files, self.rows = self.seeder.files(), self.seeder.rows()

    def of(self, *verdicts: str | None) -> Traces:
        traces = Traces()
        for kind, made in self.made:
            if kind.verdict in verdicts:
                traces |= made
        return traces

    def changed_rows(self) -> frozenset[Row]:
        return frozenset(row for kind, made in self.made if kind.changes_row for row in made.rows)

    def audit(self, *, everything: bool = True) -> list[dict[str, str]]:
        ended = self.lab.child(
            lambda c: print(json.dumps([*c.upkeep.audit(everything=everything)]))
        )
        assert ended.status == 0, ended.output
        return json.loads(ended.output)

    def repair(self, *, adopt_unknown: bool = False) -> list[dict[str, str]]:
        ended = self.lab.child(
            lambda c: print(json.dumps([*c.upkeep.repair(adopt_unknown=adopt_unknown)]))
        )
        assert ended.status == 0, ended.output
        return json.loads(ended.output)

    def key_of(self, kind: Kind, made: Traces) -> str:
        """What identifies the thing in an audit's words, and nothing else does."""
        if made.files:
            (path,) = made.files
            stem = path.rpartition("/")[2].removesuffix(".json")
            if "/reservations/" in path or "/leases/" in path:
                return stem[-17:].replace("-", ":")
            return stem
        ((table, seq),) = made.rows
        (row,) = self.lab.rows(f"SELECT * FROM {table} WHERE seq = ?", seq)
        keys = {
            "vmwright_claims": "instance_id",
            "vmwright_attachments": "volume_id",
            "vmwright_ports": "mac",
            "vmwright_secrets": "id",
            "vmwright_volumes": "location",
            "vmwright_images": "location",
        }
        return str(row[keys[table]])


@pytest.fixture(scope="module")
def template(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Seeded:
    lab = copy_of(prepared, tmp_path_factory.mktemp("seeded") / "lab")
    assert lab.child(labs.create).output.split() == ["done"]
    seeder = Seeder(lab)
    made = [(kind, kind.seed(seeder)) for kind in KINDS]
    return Seeded(lab, made, seeder.locked)


@pytest.fixture
def seeded(template: Seeded, tmp_path: Path) -> Iterator[Seeded]:
    lab = copy_of(template.lab.home, tmp_path / "lab")
    copied = Seeded(lab, template.made, template.locked)
    copied.seeder.hold_locks()
    yield copied
    copied.seeder.close()


def test_there_are_at_least_thirty_kinds_with_a_sentence_each() -> None:
    assert len({kind.sentence for kind in KINDS}) == len(KINDS) >= 30
    assert {kind.verdict for kind in KINDS} == {
        "leftover", "unknown", "foreign", "missing", "owed", None,
    }  # fmt: skip


def test_everything_is_told_for_what_it_is(seeded: Seeded) -> None:
    found = seeded.audit()
    wrong = {}
    for kind, made in seeded.made:
        key = seeded.key_of(kind, made)
        told = {one["verdict"] for one in found if key in (one["key"], one["instance_id"])
                or (":" in key and key in one["key"])}  # fmt: skip
        if told != ({kind.verdict} if kind.verdict else set()):
            wrong[kind.sentence] = told
    assert wrong == {}


def test_an_audit_changes_nothing(seeded: Seeded) -> None:
    seeded.audit()
    assert seeded.seeder.files() == seeded.files
    assert seeded.seeder.rows() == seeded.rows


def test_repair_removes_all_that_is_left_over_and_nothing_else(seeded: Seeded) -> None:
    done = seeded.repair()

    gone = seeded.of("leftover")
    assert set(seeded.files) - set(seeded.seeder.files()) == gone.files
    kept = {path: content for path, content in seeded.files.items() if path not in gone.files}
    assert seeded.seeder.files() == kept

    rows, changed = seeded.seeder.rows(), seeded.changed_rows()
    assert set(seeded.rows) - set(rows) == gone.rows - changed
    assert {row for row in rows if rows[row] != seeded.rows.get(row)} == changed
    assert {one["outcome"] for one in done if one["verdict"] == "leftover"} == {"removed"}
    assert {one["outcome"] for one in done if one["verdict"] != "leftover"} == {"left"}


def test_what_a_repair_lets_go_of_is_free(seeded: Seeded) -> None:
    seeded.repair()
    for table, seq in seeded.changed_rows():
        (row,) = seeded.lab.rows(f"SELECT * FROM {table} WHERE seq = ?", seq)
        if table == "vmwright_ports":
            assert (row["instance_id"], row["operation_id"]) == (None, None)
        else:
            assert row["ciphertext"] is None
            assert row["erased_at"] is not None


def test_a_second_repair_finds_nothing_to_do(seeded: Seeded) -> None:
    seeded.repair()
    files, rows = seeded.seeder.files(), seeded.seeder.rows()
    again = seeded.repair()
    assert {one["outcome"] for one in again} == {"left"}
    assert {one["verdict"] for one in again}.isdisjoint({"leftover", "foreign"})
    assert (seeded.seeder.files(), seeded.seeder.rows()) == (files, rows)


def test_what_is_unknown_goes_only_where_that_was_asked_for(seeded: Seeded) -> None:
    seeded.repair(adopt_unknown=True)
    gone = seeded.of("leftover", "unknown").files
    assert gone <= set(seeded.files) - set(seeded.seeder.files())
    for path in (seeded.of("foreign", "missing", "owed", None)).files - _base_in_use(seeded):
        assert seeded.seeder.files()[path] == seeded.files[path], path


def _base_in_use(seeded: Seeded) -> frozenset[str]:
    """Of an unknown disk: with that it goes."""
    return frozenset(
        path
        for kind, made in seeded.made
        if kind.sentence == "a cached image that disks are overlays of"
        for path in made.files
    )
