"""Who of a machine uploads an image to a host: one process at a time, and the others hear of it.

One file per host and image under the state directory, locked by whoever uploads, with how far he
is. One that nobody holds was left by somebody who came to no end: what he had sent, is half.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from vmwright.private_files import make_directories
from vmwright.waiting import Wait

LOG = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
_DIGITS = 6
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Sheet:
    """One upload as this process does it. It is written down as far as there is where to."""

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self._path = path
        self._descriptor = descriptor
        self.follows_a_failure = descriptor is not None and os.fstat(descriptor).st_size > 0
        """Whether the last one here that uploaded it came to no end: nobody else is at it."""

    def tell(self, fraction: float, _note: str = "") -> None:
        """How much is sent, for those who wait."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # a full disk keeps nobody from uploading
                os.pwrite(self._descriptor, f"{fraction:.4f}".encode()[:_DIGITS], 0)

    def end(self) -> None:
        """The image is whole: nothing is left to say."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()


class Uploads:
    """The uploads to one host."""

    def __init__(self, state_dir: Path, uri: str) -> None:
        self._directory = state_dir / "uploads"
        self._host = hashlib.sha256(uri.encode()).hexdigest()[:32]

    @contextlib.contextmanager
    def turn(self, name: str, what: str, wait: Wait) -> Iterator[Sheet]:
        """Be the only one of this machine inside; whoever waits reports how far the other is."""
        path = self._directory / f"{self._host}-{name}"
        try:
            descriptor = self._locked(path, what, wait)
        except OSError as error:
            # Two that upload the same bytes to the same places do no harm.
            LOG.warning("%s cannot be written (%s): uploads may be made twice", path, error)
            yield Sheet(path, None)
            return
        try:
            sheet = Sheet(path, descriptor)
            sheet.tell(0.0)
            yield sheet
        finally:
            os.close(descriptor)

    def _locked(self, path: Path, what: str, wait: Wait) -> int:
        make_directories(path.parent)
        while True:
            descriptor = os.open(path, _FLAGS, 0o600)
            try:
                _lock(descriptor, what, wait)
            except BaseException:
                os.close(descriptor)
                raise
            if os.fstat(descriptor).st_nlink:
                return descriptor
            os.close(descriptor)  # whoever had it has come to the end, and removed it


def _lock(descriptor: int, what: str, wait: Wait) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            said = os.pread(descriptor, _DIGITS, 0)
            if said:
                wait.progress(float(said), what)
            wait.pause(_POLL_SECONDS, what)
        else:
            return
