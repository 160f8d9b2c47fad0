"""Deployments that an earlier release left behind, with operations interrupted at every task.

`python -m tests.support.recorded TARGET`, run in a checkout of that release (with this file in its
place), makes one and packs it; docs/how-to/changing-a-flow.md says when. `unpacked` lays it
out again.
"""

import gzip
import io
import re
import sqlite3
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support import lab as labs
from tests.support.breaking import Break, Breakage, broken, execute, names, revert
from tests.support.lab import Lab
from vmwright import flows

_STORE = "store.sql"
_KEPT = ("store.sql", "key", "world", "images")
_FAILING = "spawn"
_PLACE = re.compile(r"/[^\s'\"\\]*/((?:tests|vmwright|site-packages)/)")
"""Where files lie that a failure's traceback names."""


def record(home: Path) -> None:
    """Interrupt builds and deletes at each of their tasks, one process for each."""
    lab = Lab(home)
    assert lab.child(_prepare).status == 0
    _stand_still(lab)
    for number, (name, breakages, version) in enumerate(_interruptions()):
        build = _in_version(version, broken(_build(name), *breakages))
        ended = lab.child(build)
        assert ended.killed, (name, ended)
        print(number, name, flush=True)
    for task in names("delete"):
        name = f"delete-{task}".replace("_", "-")
        assert lab.child(_build(name)).status == 0
        work = broken(_end(name), execute(task, Break.KILL_AFTER))
        assert lab.child(work).killed, name
        print(name, flush=True)


def _interruptions() -> Iterator[tuple[str, list[Breakage], int]]:
    """Name of the instance, what goes wrong, and the version of the flow."""
    newest = flows.newest("create").version
    for version in range(1, newest + 1):
        for how in (Break.KILL_BEFORE, Break.KILL_AFTER):
            for task in names("create"):
                word = f"{task}-{how}-{version}".replace("_", "-")
                yield f"forward-{word}", [execute(task, how)], version
                if task in names("create")[: names("create").index(_FAILING) + 1]:
                    failing = execute(_FAILING, Break.FAIL_AFTER).refusing()
                    yield f"back-{word}", [failing, revert(task, how)], version


def _stand_still(lab: Lab) -> None:
    """One that is stuck, and one that never began."""
    failing = execute(_FAILING, Break.FAIL_AFTER).refusing()
    work = broken(_build("stuck"), failing, revert("plug_network", Break.FAIL_BEFORE))
    ended = replace(lab, undo_tries=1).child(work)
    assert ended.output.split()[-1:] == ["stuck"], ended.output
    assert lab.child(lambda controller: controller.submit(_wish("queued"))).status == 0


def _prepare(controller: Any) -> None:
    labs.prepare(controller)
    for number in range(2, 11):
        controller.inventory.create_host(f"host{number}", f"simulated:///host{number}")


def _wish(name: str) -> Any:
    return labs.request(name=name, volumes=[{"size": 1}, {"image": "demo"}])


def _build(name: str) -> Callable[[Any], None]:
    return lambda c: print(c.wait(c.create(_wish(name)).id, timeout=60).state)


def _end(name: str) -> Callable[[Any], None]:
    return lambda c: print(c.wait(c.delete(name).id, timeout=60).state)


def _in_version(version: int, work: Callable[[Any], None]) -> Callable[[Any], None]:
    def child(controller: Any) -> None:
        flows.RECIPES = tuple(
            known for known in flows.RECIPES if known.kind != "create" or known.version <= version
        )
        work(controller)

    return child


def pack(home: Path, target: Path) -> None:
    """Everything of it that is no machine's own, always in the same bytes for the same content."""
    with closing(sqlite3.connect(home / "store.db")) as store:
        store.execute("UPDATE vmwright_owners SET machine = 'recorded', lock_path = '/nowhere'")
        store.commit()
        dump = _PLACE.sub(r"\1", "\n".join(store.iterdump()))
    assert str(home) not in dump, "a path of this machine lies in the store"
    (home / _STORE).write_text(dump)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in _KEPT:
            archive.add(home / name, name, filter=_anybodys)
    with gzip.GzipFile(target, "wb", mtime=0) as file:
        file.write(packed.getvalue())


def _anybodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def unpacked(archive: Path, home: Path) -> Lab:
    """The deployment as it was left."""
    with tarfile.open(archive) as packed:
        packed.extractall(home)  # ours: it lies beside the tests
    with closing(sqlite3.connect(home / "store.db")) as store:
        store.executescript((home / _STORE).read_text())
    return Lab(home)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory) / "lab"
        home.mkdir()
        record(home)
        pack(home, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
