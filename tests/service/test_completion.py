"""Shells complete commands, options, choices, and the names and ids of what is there."""

import io
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from tests.support.command_line import BUILD, CommandLine, stocked
from tests.support.terminals import at_terminal
from vmwright.cli.commands import Commands
from vmwright.cli.completion import FILES, main
from vmwright.cli.completion_scripts import SCRIPTS
from vmwright.cli.names import kind_of
from vmwright.cli.names_elsewhere import things_at
from vmwright.cli.shell import Shell
from vmwright.controller import Controller
from vmwright.persistence.names import KINDS, names_of
from vmwright.settings import Settings


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """A store with a little of everything, and a build that nobody runs."""
    command = stocked(tmp_path_factory.mktemp("names"))
    assert command("create", "web one", *BUILD, "--no-wait").code == 0
    assert command("volume", "create", "data", "--size", "1").code == 0
    return command


@pytest.fixture
def ask(store: CommandLine, monkeypatch: pytest.MonkeyPatch):
    """What the last word of a line may become, as whole words."""
    monkeypatch.setenv("VMWRIGHT_CONFIG", str(store.file))

    def asked(*words: str) -> list[str]:
        with redirect_stdout(io.StringIO()) as out:
            assert main(words) == 0
        return [line.partition("\t")[0] for line in out.getvalue().splitlines()]

    return asked


def test_commands_are_completed_word_by_word(ask) -> None:
    assert ask("oper") == ["operation"]
    assert {"list", "cancel", "retry"} <= {*ask("operation", "")}
    assert ask("volume", "sn") == ["snapshot"]
    assert ask("volume", "snapshot", "cr") == ["create"]
    assert ask("help", "availability", "") == ["zone"]


def test_options_are_completed_and_those_that_were_given_are_not(ask) -> None:
    assert ask("--conf") == ["--config-file"]
    assert "--image" in ask("create", "--")
    assert "--image" not in ask("create", "--image", "disk", "--")
    assert "--network" in ask("create", "--network", "lan", "--"), "it may be repeated"
    assert ask("create", "--", "--") == []


def test_choices_columns_and_files_are_completed(ask) -> None:
    assert ask("list", "-f", "js") == ["json"]
    assert ask("complete", "f") == ["fish"]
    assert ask("list", "-c", "vm_") == ["vm_state"]
    assert ask("image", "create", "x", "--file", "") == [FILES]
    assert ask("--config-file", "") == [FILES]


def test_names_and_ids_are_completed(ask, store: CommandLine) -> None:
    (operation,) = store("operation", "list", "-f", "json").data
    assert ask("show", "w") == ["web one"]
    assert ask("create", "--image", "") == ["disk"]
    assert ask("create", "--image=d") == ["--image=disk"]
    assert ask("create", "--network", "l") == ["lan"]
    assert ask("host", "show", "") == ["host1"]
    assert ask("operation", "cancel", "") == [operation["id"]]
    assert ask("operation", "retry", "") == [], "nothing is stuck"
    assert ask("show", operation["instance_id"][:8]) == [operation["instance_id"]]
    assert operation["id"] in ask("watch", "")
    assert {"create", "delete", operation["id"]} == {*ask("graph", "")}


def test_parts_of_a_value_are_completed(ask) -> None:
    assert ask("create", "--volume", "size=1,im") == ["size=1,image="]
    assert ask("create", "--volume", "size=1,image=") == ["size=1,image=disk"]
    assert ask("create", "--volume", "volume=d") == ["volume=data"]
    assert ask("create", "--volume", "volume=data,delete=f") == ["volume=data,delete=false"]


def test_a_new_thing_is_named_by_nobody_else(ask) -> None:
    assert ask("create", "") == []
    assert ask("image", "create", "") == []


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_things_of_each_kind_can_be_asked_for(store: CommandLine, kind: str) -> None:
    database = Settings.from_files(str(store.file)).database
    everybody, nobody = (names_of(database, kind, whose) for whose in (None, "nobody"))
    assert all(one in everybody for one in nobody)
    if kind in ("instance", "operation", "volume"):
        assert everybody
        assert not nobody


@pytest.mark.parametrize("kind", sorted(KINDS - {"debt", "security group rule", "zone"}))
def test_a_service_knows_the_same_names(store: CommandLine, kind: str) -> None:
    settings = Settings.from_files(str(store.file))
    with Controller(settings) as controller:
        told = {(id, name) for id, name, _ in things_at(controller, kind)}
    assert told == {(one.id, one.name) for one in names_of(settings.database, kind, None)}


def test_every_argument_that_is_a_name_or_an_id_has_a_kind() -> None:
    shell = Shell(io.StringIO(), io.StringIO())
    for command in Commands().commands:
        made = shell.command_manager.commands[command].load()(shell, None, command)
        for action in made.get_parser(command)._actions:
            is_known = not action.option_strings and action.metavar in ("NAME", "ID")
            if is_known and not command.endswith("create") and command not in ("spec", "plan"):
                assert kind_of(command, action) in KINDS, f"{command}: {action.dest}"


def test_a_store_that_cannot_be_read_offers_nothing_and_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VMWRIGHT_CONFIG", str(tmp_path / "vmwright.conf"))
    assert main(["show", ""]) == 0
    (tmp_path / "vmwright.conf").write_text(f"[DEFAULT]\nstate_dir = {tmp_path / 'state'}\n")
    assert main(["show", ""]) == 0
    assert capsys.readouterr() == ("", "")
    assert not (tmp_path / "state").exists()


def test_it_loads_next_to_nothing(store: CommandLine) -> None:
    program = (
        "import sys; from vmwright.cli.completion import main; main(['show', '']);"
        "print([name for name in ('sqlalchemy', 'oslo_db', 'networkx', 'pydantic', 'rich')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "VMWRIGHT_CONFIG": str(store.file)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["web one\tbuilding", "[]"]


_STARTS = {
    "bash": ["bash", "--norc", "--noprofile"],
    "zsh": ["zsh", "-f"],
    "fish": ["fish", "--no-config"],
}
_PREPARES = {"bash": "", "zsh": "autoload -U compinit; compinit -u -D; ", "fish": ""}


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_a_shell_completes_at_its_terminal(store: CommandLine, tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is missing: apt install {shell}")
    script = tmp_path / shell
    script.write_text(store("complete", shell).out)
    bin = Path(sys.executable).parent
    env = {
        "VMWRIGHT_CONFIG": str(store.file),
        "PATH": f"{bin}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
    }
    with at_terminal(_STARTS[shell], env, columns=240) as terminal:
        terminal.press(f"{_PREPARES[shell]}source {script}; echo rea''dy\r")
        terminal.wait_for("ready")
        terminal.press("vmwright availab\t")
        terminal.wait_for("vmwright availability ")
        terminal.press("\x15vmwright create --image=d\t")
        terminal.wait_for("--image=disk")
        terminal.press("\x15vmwright show we\t")
        terminal.wait_for(r"web\\ one")
        terminal.press("\x15vmwright create --volume size=1,image=d\t")
        terminal.wait_for("size=1,image=disk")
        terminal.press(f"\x15vmwright image create x --file {tmp_path}/{shell[:2]}\t")
        terminal.wait_for(f"{tmp_path}/{shell}")
