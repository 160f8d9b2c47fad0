"""Secrets of a run, with all that goes wrong in it, lie nowhere in clear and are told nowhere.

Each kind of secret is a mark of its own, looked for in every file, row, log line, traceback and
command line that the run leaves.
"""

import base64
import dataclasses
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import hooks
from tests.support import lab as labs
from tests.support.breaking import Break, broken, execute, revert
from tests.support.command_line import CommandLine
from tests.support.databases import PostgreSQL
from tests.support.lab import Lab
from tests.support.secrets import Marks, forms, logged
from vmwright.controller import Controller
from vmwright.errors import VmwrightError
from vmwright.request import CreateRequest
from vmwright.settings import DatabaseSettings, HookSettings

PASSWORD = "Mark1-of-a-password-5b1"
USER_DATA = b"#cloud-config mark2-of-user-data-77c"
CONTENT = b"mark3-of-an-injected-file-e09"
MARKS = {"password": PASSWORD.encode(), "user data": USER_DATA, "file": CONTENT}

SECRET: dict[str, Any] = {
    "admin_password": PASSWORD,
    "user_data": USER_DATA,
    "injected_files": [{"path": "/etc/word", "content": CONTENT}],
}

TALKATIVE = """
import logging
from vmwright.tasks.task import Task

class Telling(Task):
    task_name = "tell"

    def execute(self, run, spec, base_image):
        logging.getLogger("hook").warning("%r %r %r", vars(run), spec, base_image)
        logging.getLogger("hook").warning("%s", spec.to_store())

    def revert(self, run, spec, **others):
        logging.getLogger("hook").warning("%r %r %r", vars(run), spec, others)
"""
"""A hook that logs whatever it is handed."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def lab(request: pytest.FixtureRequest, tmp_path: Path, prepared: Path) -> Lab:
    if request.param == "sqlite":
        return labs.copy_of(prepared, tmp_path / "lab")
    server: PostgreSQL = request.getfixturevalue("postgresql")
    home = tmp_path / "lab"
    home.mkdir()
    return Lab(home, url=server.ready().connection).prepared()


@contextmanager
def talkative(directory: Path, lab: Lab) -> Iterator[Lab]:
    points = {"vmwright.hooks.pre_create": {"tell": "talkative_hook:Telling"}}
    project = {"name": "talkative", "version": "1", "entry-points": points}
    hooks.install(directory, "talkative_hook", TALKATIVE, project)
    sys.path.append(str(directory))
    hooks._look_again()
    try:
        yield replace(lab, hooks=HookSettings(pre_create=("tell",)))
    finally:
        hooks.uninstall(directory)


def marks_of(lab: Lab) -> Marks:
    """Those of requests; and the password of the database, where it has one."""
    word = {}
    if lab.url is not None:
        word["database"] = lab.url.partition("//vmwright:")[2].partition("@")[0].encode()
    return Marks(MARKS | word)


def assert_nothing_leaks(lab: Lab, *, told: str = "") -> None:
    marks = marks_of(lab)
    url = lab.url or f"sqlite:///{lab.home / 'store.db'}"
    assert marks.leaks(lab.home.parent, url) == []
    assert marks.within(told.encode()) == set()
    assert marks.in_processes() == []


def wish(**changes: Any) -> CreateRequest:
    return labs.request(**SECRET | changes)


def create(controller: Controller) -> None:
    print(controller.wait(controller.create(wish()).id, timeout=60).state)
    look(controller)


def look(controller: Controller) -> None:
    """Everything that can be asked, and every `repr`."""
    print(vars(controller), controller.settings, wish(), wish().user_data is None)
    print(controller.plan(wish(name="planned", volumes=[])))
    for operation in controller.operations():
        instance = controller.instance_of(operation)
        print(operation, instance, [*controller.watch(operation.id, timeout=60)])
        print(controller.describe_operation(operation), controller.describe_instance(instance))
        print(controller.graph(operation.id))
    print(controller.inventory.hosts(), controller.audit())


ROUNDS: dict[str, tuple[str, Callable[[], Callable[[Controller], None]]]] = {
    "a build": ("done", lambda: create),
    "one that fails once the drive is written": (
        "undone",
        lambda: broken(create, execute("spawn", Break.FAIL_AFTER)),
    ),
    "one that fails before": (
        "undone",
        lambda: broken(create, execute("mark_active", Break.FAIL_BEFORE)),
    ),
    "one whose undo is stuck": (
        "stuck",
        lambda: broken(
            create, execute("mark_active", Break.FAIL_BEFORE), revert("spawn", Break.FAIL_BEFORE)
        ),
    ),
    "one that is killed": ("", lambda: broken(create, execute("spawn", Break.KILL_AFTER))),
}


QUICK = ("one whose undo is stuck",)
"""It builds, fails, undoes in vain, resumes and deletes."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in ROUNDS]
)
def test_a_run_leaves_no_secret_in_clear(lab: Lab, tmp_path: Path, name: str) -> None:
    state, work = ROUNDS[name]
    lab = replace(lab, undo_tries=1)
    with logged(tmp_path / "debug.log") as log, talkative(tmp_path / "site", lab) as telling:
        ended = telling.child(work())
        assert state in ended.output, ended.output
        assert_nothing_leaks(telling, told=ended.output)
        again = telling.child(lambda c: (labs.resume(c), look(c)))
        assert_nothing_leaks(telling, told=again.output)
        gone = telling.child(lambda c: (labs.delete(c), look(c)))
        assert_nothing_leaks(telling, told=gone.output)
    text = log.read_text()
    assert "hook" in text
    assert "DEBUG" in text
    assert "taskflow" in text


def test_errors_about_secrets_repeat_none(lab: Lab, tmp_path: Path) -> None:
    """With their tracebacks, causes and contexts."""
    long = PASSWORD * 20
    wrong: list[dict[str, Any]] = [
        {"admin_password": long},
        {"admin_password": f"{PASSWORD}\n"},
        {"admin_password": [PASSWORD]},
        {"admin_password": {PASSWORD: PASSWORD}},
        {"admin_password": f"$6${PASSWORD}"},
        {"user_data": USER_DATA * 5000},
        {"user_data": [USER_DATA.decode()]},
        {"user_data": f"\ud800{USER_DATA.decode()}"},
        {"injected_files": [{"path": "", "content": CONTENT}]},
        {"injected_files": [{"path": "/a", "content": [CONTENT.decode()]}]},
        {"injected_files": [{"path": "/a", "content": CONTENT * 5000}]},
        {"injected_files": CONTENT.decode()},
        {"config_drive": False},
        {"flavor": "unknown"},
        {"networks": [{"port": "unknown"}]},
    ]

    def child(controller: Controller) -> None:
        for changes in wrong:
            try:
                controller.submit(
                    CreateRequest.parse(**wish().model_dump(exclude_unset=True) | changes)
                )
            except VmwrightError as error:
                traceback.print_exception(error)
                print(repr(error), error.to_store())
            else:
                raise AssertionError(changes.keys())
        print("all refused")

    with logged(tmp_path / "debug.log"):
        ended = lab.child(child)
    assert "all refused" in ended.output, ended.output
    assert_nothing_leaks(lab, told=ended.output)


def test_a_key_that_is_not_the_right_one_tells_nothing(lab: Lab, tmp_path: Path) -> None:
    from cryptography.fernet import Fernet

    with logged(tmp_path / "debug.log"):
        assert lab.child(lambda c: c.submit(wish())).status == 0
        (lab.home / "key").write_bytes(Fernet.generate_key())
        ended = lab.child(labs.resume)
        assert "undone" in ended.output, ended.output
        assert_nothing_leaks(lab, told=ended.output)


# What is told by the command


def test_the_password_of_the_database_is_told_by_no_error(tmp_path: Path) -> None:
    command, word = CommandLine(tmp_path), "Mark4-of-a-database"
    told = ""
    for url in (
        f"postgresql+psycopg://user:{word}@127.0.0.1:1/name",
        f"postgresql+psycopg://user:{word}@no-such-host.invalid/name",
        f"postgresql+none://user:{word}@host/name",
        f"oracle://user:{word}@host/name",
        f"postgresql+psycopg://user:{word}@host:port/name",
        f"nonsense {word}",
    ):
        command.configure(f"[database]\nconnection = {url}")
        for words in (("list",), ("db", "version"), ("flavor", "list")):
            called = command("--debug", "-vv", *words)
            assert called.code != 0
            told += called.out + called.err
        told += repr(DatabaseSettings(connection=url))
    assert Marks({"database": word.encode()}).within(told.encode()) == set()


def test_a_spec_is_printed_without_secrets_or_not_at_all(tmp_path: Path) -> None:
    command = CommandLine(tmp_path)
    (tmp_path / "file").write_bytes(CONTENT)
    (tmp_path / "word").write_text(PASSWORD)
    file = str(tmp_path / "file")
    for words, field in (
        (("--password", PASSWORD), "admin_password"),
        (("--password-file", str(tmp_path / "word")), "admin_password"),
        (("--user-data", file), "user_data"),
        (("--file", f"/etc/word={file}"), "injected_files"),
    ):
        refused = command("spec", "web", "--image", "i", "--flavor", "f", *words)
        assert (refused.code, refused.out) == (2, "")
        assert f"{field} would be printed in clear" in refused.err
        assert Marks(MARKS).within(refused.err.encode()) == set()
        shown = command("spec", "web", "--image", "i", "--flavor", "f", "--show-secrets", *words)
        assert shown.code == 0
        assert Marks(MARKS).within(shown.out.encode())


# The search itself


@pytest.mark.parametrize(
    "hidden",
    [
        lambda mark: mark,
        lambda mark: mark.hex().encode(),
        lambda mark: json.dumps({"x": mark.decode()}).encode(),
        lambda mark: repr({"x": mark}).encode(),
        lambda mark: mark.decode().encode("utf-16"),
        *(
            lambda mark, pad=pad: base64.b64encode(b"x" * pad + mark + b"y" * pad)
            for pad in range(5)
        ),
    ],
)
def test_a_mark_is_found_however_it_is_written(
    tmp_path: Path, hidden: Callable[[bytes], bytes]
) -> None:
    for kind, mark in MARKS.items():
        (tmp_path / "file").write_bytes(os.urandom(99) + hidden(mark) + os.urandom(99))
        assert Marks(MARKS).leaks(tmp_path) == [f"{kind} in {tmp_path / 'file'}"]
        assert len(forms(mark)) > 5


def test_a_mark_is_found_in_rows_and_command_lines(lab: Lab) -> None:
    lab.execute(f"UPDATE vmwright_flavors SET name = '{PASSWORD}' WHERE name = 'small'")
    url = lab.url or f"sqlite:///{lab.home / 'store.db'}"
    assert any("password in vmwright_flavors" in leak for leak in Marks(MARKS).leaks(lab.home, url))
    child = subprocess.Popen(["sleep", "60"], env={"WORD": PASSWORD})
    try:
        assert f"password in /proc/{child.pid}/environ" in Marks(MARKS).in_processes()
    finally:
        child.kill()
        child.wait()


def test_no_model_and_no_setting_shows_a_secret_when_it_is_printed() -> None:
    """Every field whose name says that it is one is left out of `repr`."""
    from vmwright import settings
    from vmwright.request import create

    words = ("password", "user_data", "content", "secret", "connection")
    for owner in (create.CreateRequest, create.InjectedFile):
        for name, field in owner.model_fields.items():
            if any(word in name for word in words):
                assert field.repr is False, f"{owner.__name__}.{name}"
    for owner in vars(settings).values():
        if dataclasses.is_dataclass(owner):
            for each in dataclasses.fields(owner):
                if (
                    any(word in each.name for word in words)
                    and "uri" not in each.name
                    and each.type is not int
                ):
                    assert not each.repr, f"{owner}.{each.name}"
