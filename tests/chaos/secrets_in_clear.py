"""Looks for a marker in every file and every row, in clear and in base64."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.chaos.store import Store


def found(marker: bytes, home: Path, store: Store, spared: Callable[[Path], bool]) -> list[str]:
    """Where the marker is, but for the files that it is meant for."""
    forms = list(_forms(marker))
    files = [path for path in sorted(home.rglob("*")) if path.is_file() and not spared(path)]
    places = [str(path) for path in files if _holds(path.read_bytes(), forms)]
    for table, row in store.everything():
        if _holds(repr(row).encode(), forms):
            places.append(f"a row of {table}")
    return places


def _holds(content: bytes, forms: list[bytes]) -> bool:
    return any(form in content for form in forms)


def _forms(marker: bytes) -> Iterator[bytes]:
    yield marker
    for shift in range(3):
        # What surrounds it changes the first and the last letters.
        yield base64.b64encode(b"\0" * shift + marker)[4:-4]
