"""What tasks change outside, as an outsider sees it: that is what nothing may be left in."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from vmwright.tasks.task import Run


class World(Protocol):
    """Something outside that tasks change."""

    def snapshot(self) -> Mapping[str, str]:
        """A name for each thing that is there, and what it is. Ask the outside itself, never
        the code under test. Equal if, and only if, nothing is different: leave out what changes
        by itself, such as times."""


@runtime_checkable
class Severable(World, Protocol):
    """A world that can be put out of reach, as a service is that does not answer."""

    def severed(self) -> AbstractContextManager[None]:
        """Until it is left, whoever asks the world for anything gets an error."""


@runtime_checkable
class Occupiable(World, Protocol):
    """A world in which somebody else may have a thing under the name that ours would have."""

    def occupy(self, run: Run) -> None:
        """Put a thing of somebody else's where the task of this run would put ours. A second
        call changes nothing."""


class DirectoryWorld:
    """A directory of files, at any depth. `Severable`."""

    def __init__(self, root: Path) -> None:
        """The directory is made if it is not there."""
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def snapshot(self) -> Mapping[str, str]:
        found = {str(path.relative_to(self._root)): _content(path) for path in self._paths()}
        return dict(sorted(found.items()))

    @contextmanager
    def severed(self) -> Iterator[None]:
        """A file stands in the directory's place: also root cannot look into that."""
        away = self._root.with_name(f".{self._root.name}.away")
        self._root.rename(away)
        self._root.touch()
        try:
            yield
        finally:
            self._root.unlink()
            away.rename(self._root)

    def _paths(self) -> Iterator[Path]:
        return self._root.rglob("*")


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    return "directory" if path.is_dir() else path.read_bytes().decode(errors="backslashreplace")
