"""Whatever the umask, nobody else reads or writes what we keep; and we write through no link."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import databases
from tests.support.command_line import CommandLine
from vmwright.backends.file_images import FileImageStore
from vmwright.errors import StoreUnavailable, Unavailable
from vmwright.ids import new_id
from vmwright.ownership import Ownership
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.persistence.secrets import NewSecret
from vmwright.persistence.stores import Stores
from vmwright.settings import DatabaseSettings
from vmwright.waiting import Wait

MIB = 1 << 20

PROGRAM = """
import json, os, stat, sys
from dataclasses import replace
from pathlib import Path
os.umask(int(sys.argv[1], 8))
from tests.support.lab import Lab, request
from vmwright.controller import Controller
from vmwright.settings import DatabaseSettings
from vmwright.waiting import Wait
home = Path(sys.argv[2])
settings = Lab(home / "state" / "deep").settings
settings = replace(
    settings,
    database=DatabaseSettings(connection=f"sqlite:///{home}/rows/deep/store.db"),
    simulated=replace(settings.simulated, world_dir=home / "world"),
)
source = home / "demo.raw"
source.write_bytes(bytes(4096))
with Controller(settings) as controller:
    controller.inventory.create_image("demo", source, "raw", wait=Wait(10))
    controller.inventory.create_flavor("small", 1, 128, 1)
    wish = request(networks=[], volumes=[], admin_password="a-word-for-administrators")
    assert controller.wait(controller.create(wish).id, timeout=60).state == "done"
    found = [path for top in ("state", "rows") for path in (home / top, *(home / top).rglob("*"))]
    print(json.dumps({str(p.relative_to(home)): stat.S_IMODE(p.lstat().st_mode) for p in found}))
"""


@pytest.mark.parametrize("umask", ["000", "022", "077"])
def test_nobody_else_reads_or_writes_what_is_kept(tmp_path: Path, umask: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, umask, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    modes: dict[str, int] = json.loads(done.stdout)
    kinds = {Path(path).name.rpartition(".")[2] for path in modes}
    assert kinds >= {"key", "lock", "db", "db-wal", "raw"}, kinds
    lax = {path: oct(mode) for path, mode in modes.items() if mode & 0o077}
    assert lax == {}
    assert all(mode & 0o400 for mode in modes.values())


def test_a_copy_before_an_upgrade_is_nobody_elses_either(tmp_path: Path) -> None:
    database = Database.open(databases.sqlite(tmp_path))
    before = os.umask(0)
    try:
        schema_version.upgrade(database)
        database.close()
        path = tmp_path / "store.db"
        copy = Path(schema_version._copy_of(path, "0001"))
    finally:
        os.umask(before)
    assert copy.read_bytes() == path.read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


# Links that somebody put in the place of what is ours


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A directory with files of somebody else, under names that ours could have."""
    directory = tmp_path / "foreign"
    directory.mkdir()
    (directory / f"{'0' * 64}.raw").write_bytes(b"theirs")
    (directory / ".draft-theirs").write_bytes(b"theirs")
    (directory / "file").write_bytes(b"theirs")
    for path in directory.iterdir():
        os.utime(path, (0, 0))
    return directory


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("at", ["images", "images/deployment"])
def test_a_link_in_the_place_of_the_image_store_is_not_followed(
    tmp_path: Path, foreign: Path, at: str
) -> None:
    place = tmp_path / "state" / at
    place.parent.mkdir(parents=True)
    place.symlink_to(foreign)
    store = FileImageStore(tmp_path / "state" / "images" / "deployment", MIB)
    source = tmp_path / "source"
    source.write_bytes(b"ours")
    before = contents(foreign)
    calls: list[Callable[[], object]] = [
        lambda: store.add(source, None, Wait(10)),
        lambda: store.remove(f"{'0' * 64}.raw"),
        lambda: store.locations(0.0),
    ]
    for call in calls:
        with pytest.raises(Unavailable, match="is a link"):
            call()
    assert contents(foreign) == before


def test_a_link_in_the_place_of_a_draft_or_an_image_is_replaced_and_not_followed(
    tmp_path: Path, foreign: Path
) -> None:
    root = tmp_path / "images"
    store = FileImageStore(root, MIB)
    source = tmp_path / "source"
    source.write_bytes(b"ours")
    location = store.add(source, None, Wait(10)).location
    for name in (location, ".draft-theirs"):
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(foreign / "file")
    before = contents(foreign)
    store.add(source, None, Wait(10))
    assert store.path(location).read_bytes() == b"ours"
    assert [path.name for path in root.iterdir()] == [location]
    assert contents(foreign) == before


@pytest.mark.parametrize("kind", ["link", "open to everybody"])
def test_locks_are_made_in_no_directory_of_others(tmp_path: Path, foreign: Path, kind: str) -> None:
    owners = tmp_path / "state" / "owners"
    owners.parent.mkdir()
    if kind == "link":
        owners.symlink_to(foreign)
    else:
        owners.mkdir()
        owners.chmod(0o777)
    database = Database.open(databases.sqlite(tmp_path))
    schema_version.upgrade(database)
    before = contents(foreign)
    owner = Ownership(Stores.of(database, tmp_path / "key"), tmp_path / "state", 5.0)
    with pytest.raises(Unavailable, match=r"the lock .* cannot be made"):
        owner.start(lambda _ours, _since: None)
    owner.close()
    database.close()
    assert contents(foreign) == before
    assert kind == "link" or list(owners.iterdir()) == []


def test_a_key_that_is_a_link_to_nothing_makes_no_file(tmp_path: Path, foreign: Path) -> None:
    key = tmp_path / "state" / "key"
    key.parent.mkdir()
    key.symlink_to(foreign / "made")
    database = Database.open(databases.sqlite(tmp_path))
    schema_version.upgrade(database)
    before = contents(foreign)
    with pytest.raises(Unavailable), database.write() as connection:
        Stores.of(database, key).secrets.keep(
            connection,
            NewSecret(id=new_id(), instance=new_id(), kind="user_data", content=b"x"),
        )
    database.close()
    assert contents(foreign) == before


def test_a_key_that_everybody_may_read_is_not_used(tmp_path: Path) -> None:
    database = Database.open(databases.sqlite(tmp_path))
    schema_version.upgrade(database)
    secrets = Stores.of(database, tmp_path / "key").secrets
    secrets.digest(b"")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(Unavailable, match="everybody may use the key file") as refused:
        secrets.digest(b"")
    assert "chmod 600" in refused.value.hint
    database.close()


def test_a_database_that_is_a_link_to_nothing_makes_no_file(tmp_path: Path, foreign: Path) -> None:
    (tmp_path / "store.db").symlink_to(foreign / "made")
    before = contents(foreign)
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        Database.open(DatabaseSettings(connection=f"sqlite:///{tmp_path / 'store.db'}"))
    assert contents(foreign) == before


def test_the_command_says_so_in_one_line(tmp_path: Path, foreign: Path) -> None:
    command = CommandLine(tmp_path)
    command.configure()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "images").symlink_to(foreign)
    (tmp_path / "disk.raw").write_bytes(b"ours")
    called = command("image", "create", "disk", "--file", str(tmp_path / "disk.raw"))
    assert called.code == Unavailable.exit_code
    assert "is a link" in called.err
    assert called.err.count("\n") == 1
