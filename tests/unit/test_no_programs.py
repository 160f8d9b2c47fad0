"""The product starts no program: not qemu-img, whatever an image says, and no other but itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import vmwright
from tests.support.disk_images import needs_qemu_img
from tests.support.hostile_images import HOSTILE, Hostile
from tests.support.limited_qemu_img import info, limited, verdict_of

ROOT = Path(vmwright.__file__).parent
FOR_TESTS = ROOT / "testing"
"""What embedders break their own tasks with: it kills processes for a living."""

MODULES = {"subprocess", "multiprocessing", "pty", "popen2", "commands", "pexpect", "sh"}
CALLS = ("system", "popen", "exec", "spawn", "posix_spawn", "fork", "startfile")
"""Of `os`: every name that begins so starts a program, or another process."""

ITSELF = {"cli/crew.py: subprocess"}
"""A service of several processes starts each of them as it was started itself."""

GIB = 1 << 30


def _starters(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {name.name.partition(".")[0] for name in node.names}
            yield from names & MODULES
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").partition(".")[0]
            yield from {module} & MODULES
            if module == "os":
                yield from (name.name for name in node.names if name.name.startswith(CALLS))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "os" and node.attr.startswith(CALLS):
                yield f"os.{node.attr}"
            if node.value.id == "asyncio" and "subprocess" in node.attr:
                yield f"asyncio.{node.attr}"


def _sources() -> list[Path]:
    found = [path for path in ROOT.rglob("*.py") if not path.is_relative_to(FOR_TESTS)]
    assert len(found) > 100
    return found


def test_nothing_that_starts_a_program_is_called() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in _sources()
        for name in _starters(ast.parse(path.read_text()))
    }
    assert found == ITSELF


@pytest.mark.parametrize(
    "text",
    [
        "import subprocess",
        "from subprocess import run",
        "import os; os.system('true')",
        "from os import execvp",
        "import os; os.posix_spawn('true', [], {})",
        "import asyncio; asyncio.create_subprocess_exec('true')",
        "import multiprocessing.pool",
    ],
)
def test_it_would_be_found(text: str) -> None:
    assert list(_starters(ast.parse(text)))


# The tests do start qemu-img, and on what is hostile: only within limits.


def test_a_child_that_eats_memory_dies_of_it() -> None:
    eat = ("python3", "-c", "print(len(bytearray(600 * 2**20)))")
    assert "MemoryError" in limited(*eat).stderr
    assert limited(*eat, memory=4 * GIB).stdout == f"{600 * 2**20}\n"


def test_a_child_that_eats_time_dies_of_it() -> None:
    done = limited("python3", "-c", "while True: pass", seconds=1)
    assert done.returncode < 0


def test_a_child_that_writes_a_file_is_stopped(tmp_path: Path) -> None:
    target = tmp_path / "written"
    done = limited("dd", "if=/dev/zero", f"of={target}", "bs=1M", "count=1")
    assert done.returncode != 0
    assert target.stat().st_size == 0


@needs_qemu_img
@pytest.mark.parametrize(
    "hostile",
    [
        h
        for h in HOSTILE
        if "no length" not in h.name and h.name.startswith(("backing file", "data file /"))
    ],
    ids=str,
)
def test_what_refers_to_other_files_is_dangerous_in_the_eyes_of_qemu_img_too(
    tmp_path: Path, hostile: Hostile
) -> None:
    """Or it cannot open it at all: the corpus is what its names say."""
    source = tmp_path / "source"
    source.write_bytes(hostile.content)
    assert verdict_of(info(source), 64 * 2**20) != "safe"
