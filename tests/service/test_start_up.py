"""What a command loads before it does anything: nearly all of the time that it takes to start."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import BUILD, CommandLine, stocked
from tests.support.through_service import answering
from vmwright.settings import Settings

_ELSEWHERE = {"alembic", "fastapi", "libvirt", "networkx", "pygments", "taskflow"}
"""What only runs, draws or upgrades something."""

_BUILDING = {"cryptography", "oslo_policy", "pydantic"} | {
    f"vmwright.{name}" for name in ("backends", "flows", "request", "runner", "scheduler", "tasks")
}
"""What only takes requests in and sees them through."""

_PROGRAM = """
import io, json, sys
from vmwright.cli.main import run
for words in json.loads(sys.argv[1]):
    out = io.StringIO()
    code = run(words, out, sys.stderr)
    print(json.dumps([code, out.getvalue(), sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """A store with an instance."""
    command = stocked(tmp_path_factory.mktemp("built"))
    assert command("create", "vm1", *BUILD).code == 0
    return command


def loaded(directory: Path, *commands: tuple[str, ...]) -> dict[tuple[str, ...], set[str]]:
    """What is in memory after each of these commands, one after the other in one process."""
    named = ["--config-file", str(directory / "vmwright.conf")]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps([[*named, *words] for words in commands])],
        capture_output=True,
        text=True,
        check=True,
    )
    found = {}
    for words, line in zip(commands, done.stdout.splitlines(), strict=True):
        code, out, modules = json.loads(line)
        assert code == 0, done.stderr
        assert out.strip() or words in (("db", "check"), ("volume", "list")), words
        found[words] = set(modules)
    return found


def test_commands_that_look_load_nothing_that_builds(built: CommandLine) -> None:
    (operation,) = built("operation", "list", "--all", "-f", "json").data
    found = loaded(
        built.directory,
        ("complete",),
        ("db", "check"),
        ("db", "version"),
        ("operation", "list", "--all"),
        ("operation", "show", operation["id"]),
        ("list",),
        ("show", "vm1", "-f", "json"),
    )
    for words, modules in found.items():
        assert not modules & (_ELSEWHERE | _BUILDING), words


def test_commands_on_what_builds_choose_from_load_no_engine(built: CommandLine) -> None:
    nouns = ("image", "flavor", "network", "volume", "host", "quota")
    found = loaded(
        built.directory, *((noun, "show" if noun == "quota" else "list") for noun in nouns)
    )
    for words, modules in found.items():
        assert not modules & (_ELSEWHERE | {"vmwright.flows", "vmwright.runner"}), words


def test_commands_through_a_service_load_no_store(built: CommandLine) -> None:
    with answering(Settings.from_files(str(built.file))) as url:
        found = loaded(
            built.directory,
            ("--endpoint", url, "list"),
            ("--endpoint", url, "show", "vm1"),
            ("--endpoint", url, "image", "list"),
        )
    for words, modules in found.items():
        # httpx has a command of its own, which has its output in colours.
        unwanted = (_ELSEWHERE - {"pygments"}) | {"sqlalchemy", "vmwright.persistence"}
        assert not modules & unwanted, words


def test_embedder_loads_what_builds_with_the_first_request() -> None:
    program = "import json, sys; from vmwright import Controller; print(json.dumps([*sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not set(json.loads(done.stdout)) & (_ELSEWHERE | _BUILDING)
