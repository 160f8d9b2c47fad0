"""What the command line makes of values, consoles and the ends of operations."""

import argparse
import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cliff.formatters.shell import ShellFormatter

from vmwright.cli.console import lines_of
from vmwright.cli.outcomes import exit_code_of, exit_code_of_undo, sentences, ways_on
from vmwright.cli.values import plain, safe, shown
from vmwright.ids import InstanceId, OperationId
from vmwright.persistence.records import Operation
from vmwright.states import OperationState, PowerState


def test_values_for_programs_keep_their_types() -> None:
    value = {"ip": ("10.0.0.1",), "up": True, "state": OperationState.DONE, "n": PowerState.RUNNING}
    for column in ("metadata", "addresses", "owes"):
        assert shown(column, value, "json") == {
            "ip": ["10.0.0.1"],
            "up": True,
            "state": "done",
            "n": 1,
        }
    assert type(plain(OperationState.DONE)) is str
    assert type(plain(PowerState.RUNNING)) is int


def test_values_for_people_are_text() -> None:
    nics = [{"network": "lan", "ip": "10.0.0.5"}, {"network": "dmz", "ip": "10.1.0.5"}]
    assert shown("addresses", nics, "table") == "lan=10.0.0.5\ndmz=10.1.0.5"
    assert shown("addresses", nics, "value") == "lan=10.0.0.5; dmz=10.1.0.5"
    assert shown("volumes", [{"name": "data", "size": 2}], "table") == "data (2 GiB)"
    error = {"message": "no room", "host": "h1", "task": "spawn"}
    assert shown("fault", error, "value") == "spawn on h1: no room"
    assert shown("error", {"message": "no room"}, "value") == "no room"
    debts = [{"kind": "volume", "host": "h1"}] * 2 + [{"kind": "domain", "host": "h2"}]
    assert shown("owes", debts, "value") == "2 volume on h1; 1 domain on h2"
    assert shown("metadata", {"a": ["x", "y"], "b": None}, "csv") == "a=x, y, b=None"
    assert shown("host", None, "table") is None
    assert shown("fault", None, "table") is None
    assert shown("vcpus", 3, "table") == 3


def test_text_cannot_steer_a_terminal() -> None:
    assert safe("a\x1b[2Jb\r\tc\n") == "a\\x1b[2Jb\\r\tc\n"
    assert shown("name", "\x9b31m", "table") == "\\x9b31m"
    assert shown("name", "\x1b", "json") == "\x1b"
    assert shown("fault", {"message": "\x1b"}, "table") == "\\x1b"


def test_text_cannot_turn_round_what_is_read_beside_it() -> None:
    for mark in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c":
        assert safe(f"a{mark}b") == f"a\\u{ord(mark):04x}b"
        assert shown("description", mark, "table").isascii()
        assert shown("description", mark, "json") == mark
    assert safe("a\u2028b\u2029c") == "a\\u2028b\\u2029c"
    assert safe("né שלום 👩\u200d💻") == "né שלום 👩\u200d💻"


def test_a_line_is_one_thing_for_whoever_reads_lines() -> None:
    assert shown("description", "one\ntwo", "table") == "one\ntwo"
    for formatter in ("value", "csv"):
        assert shown("description", "one\ntwo", formatter) == "one\\ntwo"
        assert shown("metadata", {"a": "one\ntwo"}, formatter) == "a=one\\ntwo"


@pytest.mark.parametrize(
    "text", ["$(touch sprung)", "`touch sprung`", '"; touch sprung; "', "\\$(touch sprung)", "a\nb"]
)
def test_what_a_shell_evaluates_runs_nothing(tmp_path: Path, text: str) -> None:
    out = io.StringIO()
    value = shown("description", text, "shell")
    chosen = argparse.Namespace(variables=[], prefix="")
    ShellFormatter().emit_one(["description"], [value], out, chosen)
    script = f'{out.getvalue()}printf %s "$description"'
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == text.replace("\n", "\\n")
    assert list(tmp_path.iterdir()) == []


def test_console_is_lines_of_text() -> None:
    written = [b"\x1b[1;32mok\x1b[0m boot\r", b"ing\r\n\xc3", b"\xa4\n\x1b]0;title\x07", b"login: "]
    assert list(lines_of(written)) == ["ok booting", "ä", "login: "]
    assert list(lines_of([b"\xff\x07\n"])) == ["\ufffd\\x07"]


def test_console_does_not_wait_for_the_end_of_a_prompt() -> None:
    def written() -> Iterator[bytes]:
        yield b"log"
        yield b"in: "
        raise AssertionError("the prompt was seen")

    assert next(lines_of(written(), "login:")) == "login: "


def test_console_without_line_ends_is_not_kept_for_ever() -> None:
    chunks = [b"x" * 60000] * 3
    assert list(map(len, lines_of(chunks))) == [120000, 60000]


@pytest.mark.parametrize(
    ("state", "owes", "code", "code_of_undo"),
    [
        ("done", 0, 0, 0),
        ("done", 1, 3, 3),
        ("undone", 0, 1, 0),
        ("undone", 1, 3, 3),
        ("cancelled", 0, 1, 0),
        ("cancelled", 1, 3, 3),
        ("stuck", 0, 3, 3),
        ("parked", 0, 3, 3),
    ],
)
def test_exit_code_says_how_an_operation_ended(
    state: str, owes: int, code: int, code_of_undo: int
) -> None:
    debt = {"kind": "volume", "key": "v", "host": "h", "reason": "host away"}
    operation = {"state": state, "owes": [debt] * owes}
    assert exit_code_of(operation) == code
    assert exit_code_of_undo(operation) == code_of_undo


def test_failure_is_told_with_all_that_is_known() -> None:
    operation = {
        "id": "op",
        "kind": "create",
        "state": "undone",
        "error": None,
        "owes": [{"kind": "volume", "key": "v", "host": "h2", "reason": "host away"}],
    }
    fault = {
        "code": "HostFault",
        "task": "spawn",
        "host": "h1",
        "message": "no room",
        "hint": "make some",
        "given_back": ["address and MAC", "guest"],
        "kept": ["room on host h1", "volume data"],
    }
    assert list(sentences(operation, "web", fault)) == [
        "vmwright: create of 'web' failed",
        "  operation: op",
        "  task: spawn",
        "  host: h1",
        "  reason: no room",
        "  hint: make some",
        "  given back: address and MAC, guest",
        "  kept: room on host h1, volume data",
        "  owed: volume v on h2 (host away)",
        "  next: vmwright resume, once the host answers",
    ]


def test_failure_on_several_hosts_is_told_attempt_by_attempt() -> None:
    operation = {"id": "op", "kind": "create", "state": "undone", "error": None, "owes": []}
    attempts = [
        {"number": 1, "host": "h1", "task": "spawn", "message": "no room"},
        {"number": 2, "host": None, "task": "claim_host", "message": "h1: tried already: no room"},
    ]
    fault = {"task": "spawn", "host": "h1", "message": "no room", "attempts": attempts}
    told = [
        "  attempt 1 on h1: spawn: no room",
        "  attempt 2 on no host: claim_host: h1: tried already: no room",
    ]
    assert list(sentences(operation, "web", fault))[-2:] == told
    alone = fault | {"attempts": attempts[:1]}
    assert not any("attempt" in line for line in sentences(operation, "web", alone))


def test_delete_that_owes_is_done_and_says_so() -> None:
    debt = {"kind": "volume", "key": "v", "host": "h2", "reason": "host away"}
    operation = {"id": "op", "kind": "delete", "state": "done", "error": None, "owes": [debt]}
    assert next(sentences(operation, "web", {"message": "of the build"})) == (
        "vmwright: delete of 'web' is done, but something is still owed"
    )


def test_fault_of_a_build_is_not_told_of_its_delete() -> None:
    error = {"message": "of the delete", "blocked": {"message": "the host says no"}}
    operation = {"id": "op", "kind": "delete", "state": "stuck", "error": error, "owes": []}
    lines = list(sentences(operation, "web", {"message": "of the build"}))
    assert "  reason: of the delete" in lines
    assert "  blocked reason: the host says no" in lines


def test_only_a_build_can_be_taken_back() -> None:
    build, delete = (
        Operation(
            id=OperationId(kind),
            kind=kind,
            flow_name=kind,
            flow_version=1,
            instance_id=InstanceId("i"),
            project_id="p",
            user_id="u",
            reservation_id="r",
            state=OperationState.RUNNING,
            flow_detail_id="f",
        )
        for kind in ("create", "delete")
    )
    assert ways_on([build, delete]) == (
        "go on: vmwright resume; take back: vmwright operation cancel create"
    )
    assert ways_on([delete]) == "go on: vmwright resume"


def test_success_is_not_talked_about() -> None:
    operation = {"id": "op", "kind": "create", "state": "done", "error": None, "owes": []}
    assert list(sentences(operation, "web", None)) == []
