"""Hooks of other packages, installed as packages are: a directory with metadata on the path."""

import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from stevedore.extension import ExtensionManager

from tests.support.lab import Lab
from vmwright.settings import HookSettings

EXAMPLE = Path(__file__).parents[2] / "examples" / "hooks"

sys.path.append(str(EXAMPLE))
from inventory_hooks import Announce, Register  # noqa: E402 - found nowhere else

__all__ = ["Announce", "Register"]

HOOKS = HookSettings(pre_create=("register",), post_create=("announce",))
PRE, POST = "pre.register", "post.announce"


@contextmanager
def installed(directory: Path) -> Iterator[Path]:
    """The example's hooks, for this process and its children."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    install(directory, "inventory_hooks", (EXAMPLE / "inventory_hooks.py").read_text(), project)
    sys.path.append(str(directory))
    _look_again()
    try:
        yield directory
    finally:
        uninstall(directory)


def install(directory: Path, module: str, source: str, project: dict) -> None:
    """As pip would: the module, and metadata with the project's entry points."""
    metadata = directory / f"{module}-1.dist-info"
    metadata.mkdir(parents=True)
    (directory / f"{module}.py").write_text(source)
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")


def uninstall(directory: Path) -> None:
    """From now on, in this process, nobody finds it."""
    sys.path.remove(str(directory))
    _look_again()
    for module in directory.glob("*.py"):
        sys.modules.pop(module.stem, None)


def _look_again() -> None:
    """stevedore reads what is installed once for each process and group."""
    ExtensionManager.ENTRY_POINT_CACHE.clear()


def with_hooks(lab: Lab) -> Lab:
    return replace(lab, hooks=HOOKS)


def inventory(lab: Lab) -> list[str]:
    """What the hooks have written down: what is in it of each guest."""
    return sorted(path.name.split(".")[2] for path in (lab.home / "inventory").iterdir())
