"""The command through a service: it says the same as where the store is, and leaves nothing out."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import test_cli_refusals
from tests.support.command_line import BUILD, CommandLine
from tests.support.through_service import ENDPOINT, ThroughService, called
from vmwright.cli.commands import Commands

ONLY_WHERE_THE_STORE_IS = {
    "complete": "prints a script; asks nobody anything",
    "db check": "is about the schema of the store, which its service has open",
    "db restored": "a service does not start before it was called",
    "db upgrade": "is about the schema of the store",
    "db version": "is about the schema of the store",
    "help": "asks nobody anything",
    "serve": "is the service",
    "spec": "writes what its options say; asks nobody anything",
}
"""Commands that are no part of the suite that runs in both ways, and why."""

INSTANCE, OPERATION = "INSTANCE", "OPERATION"
"""In the place of ids."""

LOOKS = [
    ("list",),
    ("list", "--long", "-f", "csv"),
    ("list", "-f", "yaml"),
    ("list", "--limit", "1", "-f", "json"),
    ("list", "--marker", INSTANCE),
    ("show", "web"),
    ("show", INSTANCE, "-f", "json"),
    ("show", "web", "-f", "shell"),
    ("operation", "list", "--all"),
    ("operation", "list", "--all", "-f", "json"),
    ("operation", "list", "--all", "--limit", "1", "-f", "value", "-c", "state"),
    ("operation", "list", "--all", "--before", OPERATION, "-f", "json"),
    ("operation", "show", OPERATION),
    ("operation", "show", OPERATION, "-f", "json"),
    ("operation", "wait", OPERATION, "-q", "-f", "yaml"),
    ("watch", "unknown"),
    *(("graph", OPERATION, "--format", one) for one in ("text", "dot", "mermaid", "svg", "json")),
    ("graph", "create"),
    ("plan", "other", "--image", "disk", "--flavor", "small", "-c", "hosts", "-c", "remarks"),
    ("debt", "list", "-f", "json"),
    ("audit", "--all", "-f", "json"),
    ("resume", "-f", "json"),
    ("quota", "show"),
    ("quota", "show", "other", "-f", "json"),
    ("host", "show", "host1"),
    ("host", "show", "host1", "-f", "json"),
    ("availability", "zone", "list", "-f", "json"),
    ("security", "group", "show", "default", "-f", "json"),
    ("security", "group", "rule", "list", "-f", "json"),
    *(
        (*noun.split(), "list", "--long", "-f", output)
        for noun in (
            *("image", "flavor", "network", "port", "volume", "volume snapshot", "host"),
            *("keypair", "security group", "server group"),
        )
        for output in ("table", "json")
    ),
    *((noun, "show", name, "-f", "json") for noun, name in (("image", "disk"), ("network", "lan"))),
    ("help", "create"),
    ("flavor", "show", "small", "-c", "colour"),
]


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThroughService]:
    """A store with some of everything."""
    with called(ENDPOINT, tmp_path_factory.mktemp("looked_at")) as command:
        assert isinstance(command, ThroughService)
        for words in (
            ("volume", "create", "data", "--size", "1"),
            ("network", "create", "dmz", "--subnet-range", "10.8.0.0/24", "--host", "host1"),
            ("port", "create", "mine", "--network", "dmz"),
            ("server", "group", "create", "apart", "--policy", "anti-affinity"),
            ("create", "web", *BUILD, "--volume", "volume=data", "--hint", "group=apart"),
            ("create", "second", *BUILD),
        ):
            done = command(*words)
            assert done.code == 0, done.err
        yield command


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_what_a_service_says_is_shown_as_what_the_store_says(
    looked_at: ThroughService, words: tuple[str, ...]
) -> None:
    (instance, *_) = looked_at("list", "-f", "json").data
    known = {INSTANCE: instance["id"], OPERATION: instance["operation_id"]}
    meant = [known.get(word, word) for word in words]
    there, here = looked_at(*meant), looked_at.here(*meant)
    assert there == here
    assert there.out or "-q" in words or there.code in (2, 4)


def test_what_is_watched_through_a_service_is_what_happens(looked_at: ThroughService) -> None:
    """But for the times: a service tells them in whole milliseconds."""
    told = []
    for command in (looked_at, looked_at.here):
        one, several = command("watch", "web"), command("watch", "web", "second")
        assert (one.code, several.code) == (0, 0)
        lines = [*one.out.splitlines(), *several.out.splitlines()]
        told.append([line.partition(" ")[2] for line in lines])
    assert told[0] == told[1]
    assert "mark_active done" in told[0]
    assert "create second: create done on host1" in told[0]


def test_every_command_works_through_a_service_or_says_why_not() -> None:
    called = set(_called_in_the_suite())
    names = {name for name, _ in Commands()}
    assert set(ONLY_WHERE_THE_STORE_IS) <= names
    assert not names - called - set(ONLY_WHERE_THE_STORE_IS)


@pytest.mark.parametrize("name", ["db check", "db restored", "db upgrade", "db version", "serve"])
def test_command_on_the_store_itself_is_refused_with_an_endpoint(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = CommandLine(tmp_path)
    command.configure()
    refused = command("--endpoint", "http://127.0.0.1:1", *name.split())
    assert (refused.code, refused.out) == (2, "")
    assert f"vmwright {name} is about the store itself" in refused.err
    monkeypatch.setenv("VMWRIGHT_ENDPOINT", "http://127.0.0.1:1")
    assert command(*name.split()) == refused
    assert not (tmp_path / "state").exists()


def test_endpoint_and_token_come_from_the_environment_too(
    looked_at: ThroughService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = CommandLine(tmp_path)
    elsewhere.configure()
    expected = looked_at("list")
    monkeypatch.setenv("VMWRIGHT_ENDPOINT", looked_at.url)
    without = elsewhere("list")
    assert (without.code, without.out) == (2, "")
    assert "VMWRIGHT_TOKEN" in without.err
    own = looked_at.directory / "state" / "token"
    monkeypatch.setenv("VMWRIGHT_TOKEN", own.read_text())
    assert elsewhere("list") == expected
    monkeypatch.setenv("VMWRIGHT_TOKEN", "wrong-5f0e")
    wrong = elsewhere("list", "-vv", "--debug")
    assert wrong.code == 2
    assert "wrong-5f0e" not in wrong.err
    assert elsewhere("--token-file", str(own), "list") == expected
    assert elsewhere("list", "--token-file", str(tmp_path / "none")).code == 2


def test_token_is_in_no_log(looked_at: ThroughService) -> None:
    token = (looked_at.directory / "state" / "token").read_text().strip()
    shown = looked_at("create", "logged", *BUILD, "-vv", "--debug")
    assert shown.code == 0
    assert "HTTP Request" in shown.err
    assert token not in shown.out + shown.err
    assert looked_at("delete", "logged").code == 0


def test_service_that_is_not_there_ends_a_call_with_7(tmp_path: Path) -> None:
    command = CommandLine(tmp_path)
    command.configure()
    token = tmp_path / "token"
    token.write_text("token-of-a-test")
    away = command("--endpoint", "http://127.0.0.1:1", "--token-file", str(token), "list")
    assert (away.code, away.out) == (7, "")
    assert re.match(r"vmwright: the service at http://127\.0\.0\.1:1 cannot be reached", away.err)
    assert away.err.count("\n") == 1


def _called_in_the_suite() -> Iterator[str]:
    """The commands that are called in tests that run in both ways."""
    refusals = test_cli_refusals.test_refused_call_is_one_line_and_changes_nothing
    (mark,) = refusals.pytestmark
    texts = [list(words) for words in [*LOOKS, *(words for _, words in mark.args[1])]]
    for path in Path(__file__).parent.glob("test_cli*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            parts = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
            texts.append([part.value if isinstance(part, ast.Constant) else "" for part in parts])
    names = [name for name, _ in Commands()]
    for words in texts:
        spoken = [str(word) for word in words]
        for name in names:
            length = len(name.split())
            if any(spoken[at : at + length] == name.split() for at in range(2)):
                yield name
