"""The store hangs, loses an answer, has no connection left, is locked, full, gone or damaged."""

import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support import lab as labs
from tests.support.breaking import meet
from tests.support.dialects import SERVERS
from tests.support.lab import Lab
from tests.support.oracle import assert_one_guest
from tests.support.proxy import Door, Proxy, proxied
from tests.support.servers import Server
from vmwright.controller import Controller
from vmwright.errors import StoreUnavailable
from vmwright.persistence.database import Database
from vmwright.settings import DatabaseSettings
from vmwright.states import Direction

LEASE = 2.0
SHORTER, LONGER = 1.0, 5.0


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    running: Server = request.getfixturevalue(request.param)
    return running


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with proxied(server.port) as proxy:
        yield proxy


@pytest.fixture
def lab_on_server(server: Server, tmp_path: Path) -> Lab:
    return Lab(tmp_path, url=server.ready().connection).prepared()


@pytest.fixture
def behind(server: Server, proxy: Proxy, lab_on_server: Lab) -> Lab:
    """The same deployment, as one sees it whose database hangs now and then."""
    url = server.url("ready", proxy.port)
    return replace(lab_on_server, url=url, database_timeout=1.0, lease=LEASE)


def counted(lab: Lab) -> dict[str, int]:
    tables = ("instances", "operations", "secrets", "events", "attempts")
    return {table: len(lab.rows(f"SELECT seq FROM vmwright_{table}")) for table in tables}


# Servers


def test_server_that_hangs_is_unavailable_and_asked_again_later(
    server: Server, proxy: Proxy
) -> None:
    url = server.url("ready", proxy.port)
    server.ready()
    database = Database.open(DatabaseSettings(connection=url, timeout=1.0))

    def ask() -> int:
        with database.write() as connection:
            answer: int = connection.execute(sa.text("SELECT 7")).scalar_one()
            return answer

    assert ask() == 7
    with proxy.turned(Door.HANGS), pytest.raises(StoreUnavailable):
        ask()
    assert ask() == 7
    database.close()


def test_create_without_a_store_ends_with_7_and_stores_nothing(
    behind: Lab, lab_on_server: Lab, proxy: Proxy
) -> None:
    before = counted(lab_on_server)

    def child(controller: Controller) -> None:
        proxy_is_hung.wait_for()
        try:
            controller.create(labs.request())
        except StoreUnavailable as error:
            print(error.exit_code)

    proxy_is_hung = _Signal()
    process = behind.fork(child)
    proxy_is_hung.arrived()
    with proxy.turned(Door.HANGS):
        proxy_is_hung.send()
        ended = lab_on_server.reap(process)
    assert ended.output.split()[-1] == "7", ended.output
    assert counted(lab_on_server) == before


class _Signal:
    """A child says that it has come so far, and waits until its parent says something, once."""

    def __init__(self) -> None:
        self._first = threading.Lock()
        self._up, self._down = os.pipe(), os.pipe()

    def wait_for(self) -> None:
        if not self._first.acquire(blocking=False):
            return
        os.write(self._up[1], b".")
        os.read(self._down[0], 1)

    def arrived(self) -> None:
        os.read(self._up[0], 1)

    def send(self) -> None:
        os.write(self._down[1], b".")


def test_a_commit_whose_answer_is_lost_makes_one_build(
    behind: Lab, lab_on_server: Lab, proxy: Proxy
) -> None:
    """Nobody gave an idempotency key."""
    with Controller(behind.settings) as controller:
        engine = controller._database.writer

        lost = []

        @sa.event.listens_for(engine, "commit")
        def _swallow(_connection: object) -> None:
            if not lost:
                proxy.turn(Door.EATS_ANSWERS)

        @sa.event.listens_for(engine, "handle_error")
        def _give_in(context: object) -> None:
            lost.append(context)
            proxy.turn(Door.OPEN)

        operation = controller.submit(labs.request(volumes=[], networks=[]))
    assert lost, "no answer was lost"
    (stored,) = lab_on_server.rows("SELECT id FROM vmwright_operations")
    assert stored["id"] == operation.id
    assert counted(lab_on_server)["instances"] == 1


def test_server_that_was_killed_in_a_build_and_comes_back_is_no_loss(
    lab_on_server: Lab, server: Server
) -> None:
    signal = _Signal()

    def child(controller: Controller) -> None:
        meet("spawn", Direction.EXECUTE, signal.wait_for, after=True)
        labs.create(controller)

    process = lab_on_server.fork(child)
    signal.arrived()
    server.kill()
    signal.send()
    server.start_again()
    ended = lab_on_server.reap(process)
    assert ended.output.split() == ["done"], ended.output
    assert_one_guest(lab_on_server)


def without_connections(task: str) -> Callable[[Controller], None]:
    """A build that finds no connection to the database for a while, from this task on."""

    def child(controller: Controller) -> None:
        held, given_back = threading.Event(), threading.Event()

        def hold_all() -> None:
            with ExitStack() as stack:
                while not held.is_set():
                    try:
                        stack.enter_context(controller._database.read())
                    except StoreUnavailable:
                        held.set()
                given_back.wait(SHORTER)

        def take() -> None:
            thread = threading.Thread(target=hold_all)
            thread.start()
            held.wait()

        meet(task, Direction.EXECUTE, take, after=False)
        labs.create(controller)

    return child


def test_build_goes_on_once_there_are_connections_again(lab_on_server: Lab) -> None:
    """oxidecomputer/omicron#10695: an attachment was committed, a later read found no
    connection, and the build was taken for failed."""
    lab = replace(lab_on_server, database_timeout=1.0)
    ended = lab.child(without_connections("spawn"))
    assert ended.output.split() == ["done"], ended.output
    assert_one_guest(lab_on_server)


# SQLite


@pytest.mark.parametrize("seconds", [SHORTER, pytest.param(LONGER, marks=pytest.mark.slow)])
def test_build_outlives_somebody_who_locks_the_file(lab: Lab, seconds: float) -> None:
    """Nobody can take it over meanwhile: they could not write either."""
    lab, signal = replace(lab, lease=LEASE), _Signal()

    def child(controller: Controller) -> None:
        meet("plug_network", Direction.EXECUTE, signal.wait_for, after=True)
        labs.create(controller)

    process = lab.fork(child)
    signal.arrived()
    with closing(sqlite3.connect(lab.home / "store.db", isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        signal.send()
        threading.Event().wait(seconds)
        foreign.execute("ROLLBACK")
    ended = lab.reap(process)
    assert ended.output.split() == ["done"], ended.output
    assert_one_guest(lab)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("a small disk needs root: run the tests with sudo")
    directory = tmp_path / "disk"
    directory.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "none", str(directory)], check=True
    )
    yield directory
    subprocess.run(["umount", "--lazy", str(directory)], check=True)


@pytest.fixture
def lab_on_small_disk(lab: Lab, small_disk: Path) -> Lab:
    for path in lab.home.glob("store.db*"):
        shutil.move(path, small_disk)
    return replace(lab, url=f"sqlite:///{small_disk / 'store.db'}", lease=LEASE)


def fill(directory: Path) -> Path:
    """Take the last byte of a disk."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return filler


def test_create_on_a_full_disk_ends_with_7_and_stores_nothing(
    lab_on_small_disk: Lab, small_disk: Path
) -> None:
    before = counted(lab_on_small_disk)

    def child(controller: Controller) -> None:
        fill(small_disk)
        stored = 0
        try:
            while stored < 100:  # the log has room for some
                controller.submit(labs.request(name=f"vm{stored}", volumes=[], networks=[]))
                stored += 1
        except StoreUnavailable as error:
            print(stored, error.exit_code)

    ended = lab_on_small_disk.child(child)
    (small_disk / "filler").unlink()
    stored, code = (int(word) for word in ended.output.split()[-2:])
    assert code == 7, ended.output
    after = counted(lab_on_small_disk)
    assert after["instances"] == before["instances"] + stored
    assert after["operations"] == before["operations"] + stored


@pytest.mark.parametrize("seconds", [SHORTER, pytest.param(LONGER, marks=pytest.mark.slow)])
def test_build_that_finds_the_disk_full_is_completed_once_it_has_room(
    lab_on_small_disk: Lab, small_disk: Path, seconds: float
) -> None:
    signal = _Signal()

    def child(controller: Controller) -> None:
        meet("plug_network", Direction.EXECUTE, signal.wait_for, after=True)
        labs.create(controller)

    process = lab_on_small_disk.fork(child)
    signal.arrived()
    filler = fill(small_disk)
    signal.send()
    threading.Event().wait(seconds)
    filler.unlink()
    ended = lab_on_small_disk.reap(process)
    assert ended.output.split()[-1] == "done", ended.output
    assert_one_guest(lab_on_small_disk)


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
def test_file_that_is_another_one_now_is_not_written(lab: Lab, replaced: bool) -> None:
    """What is written into a file without a name is lost with the process."""
    store = lab.home / "store.db"
    with Controller(lab.settings) as controller:
        shutil.copy2(store, lab.home / "backup.db")
        store.unlink()
        if replaced:
            (lab.home / "backup.db").rename(store)
        with pytest.raises(StoreUnavailable, match=r"store\.db is") as refused:
            controller.submit(labs.request(volumes=[], networks=[]))
    assert "backup" in refused.value.hint
    assert store.exists() is replaced


def test_damaged_page_is_unavailable_and_named_so(lab: Lab) -> None:
    with closing(sqlite3.connect(lab.home / "store.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'vmwright_flavors'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with (lab.home / "store.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    with Controller(lab.settings) as controller, pytest.raises(StoreUnavailable) as refused:
        controller.inventory.flavors()
    assert "backup" in refused.value.hint
