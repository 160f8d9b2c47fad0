"""Where the bytes of images are kept: hashed and inspected before anything else sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vmwright.waiting import Wait


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """An image as it was taken in. `location` is relative to the store."""

    location: str
    disk_format: str
    size_bytes: int
    virtual_size_bytes: int
    sha256: str


class ImageStore(Protocol):
    """Images of a deployment. Once stored, the bytes of an image never change."""

    def add(self, source: Path, disk_format: str | None, wait: Wait) -> StoredImage:
        """Copy a file in, hashed and inspected on the way.

        `disk_format` is what the user says that it is; None takes what the bytes say.
        `InvalidRequest` if it is neither raw nor qcow2, refers to another file, is not what was
        said, or is too large; nothing stays behind.
        """

    def check(self, image: StoredImage) -> None:
        """Look again that the image is whole and safe; `Refused` else.

        An image is looked at anew before each use: rules may have become stricter since.
        """

    def path(self, location: str) -> Path:
        """Where the bytes are, for reading."""

    def remove(self, location: str) -> None:
        """Forget an image; fine if it is not there. The same content added twice has one
        location: call it only where nobody else uses that."""

    def locations(self, older_than: float) -> Sequence[str]:
        """What is stored and was added more than so many seconds ago."""

    def drafts(self) -> Sequence[str]:
        """Half copies whose process is dead."""

    def remove_drafts(self) -> None:
        """Remove what `drafts` finds."""
