"""Who of a machine uploads an image to a host: one process at a time, and the others hear of it.

One file per host and image under the state directory, locked by whoever uploads, with how far he
is. One that nobody holds was left by somebody who came to no end: what he had sent, is half. Who
is stopped in the middle and says nothing is waited for no longer: two that upload an image at once
write the same bytes to the same places.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from vmwright.private_files import make_directories
from vmwright.progress import Progress
from vmwright.waiting import Wait

LOG = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
_DIGITS = 6
_SILENT_SECONDS = 60.0
"""How long nothing may be said of an upload: for a piece of it on the slowest line."""
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Sheet:
    """One upload as this process does it. It is written down as far as there is where to."""

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self._path = path
        self._descriptor = descriptor
        self.follows_a_failure = descriptor is not None and os.fstat(descriptor).st_size > 0
        """Whether the last one here that uploaded it came to no end: nobody else is at it."""

    def tell(self, progress: Progress) -> None:
        """How much is sent, for those who wait."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # a full disk keeps nobody from uploading
                os.pwrite(self._descriptor, f"{progress.fraction:.4f}".encode()[:_DIGITS], 0)

    def end(self) -> None:
        """The image is whole: nothing is left to say."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()


class Uploads:
    """The uploads to one host."""

    def __init__(self, state_dir: Path, uri: str, silence: float = _SILENT_SECONDS) -> None:
        self._silence = silence
        self._directory = state_dir / "uploads"
        self._host = hashlib.sha256(uri.encode()).hexdigest()[:32]

    @contextlib.contextmanager
    def turn(self, name: str, what: str, wait: Wait) -> Iterator[Sheet]:
        """Be the only one of this machine inside; whoever waits reports how far the other is.

        Not the only one if the other says nothing for long, or if nothing can be written down.
        """
        path = self._directory / f"{self._host}-{name}"
        try:
            descriptor = self._locked(path, what, wait)
        except OSError as error:
            LOG.warning("%s cannot be written (%s): uploads may be made twice", path, error)
            descriptor = None
        if descriptor is None:
            yield Sheet(path, None)
            return
        try:
            sheet = Sheet(path, descriptor)
            sheet.tell(Progress(fraction=0.0))
            yield sheet
        finally:
            os.close(descriptor)

    def _locked(self, path: Path, what: str, wait: Wait) -> int | None:
        """The file, locked; None if whoever has it says nothing."""
        make_directories(path.parent)
        while True:
            descriptor = os.open(path, _FLAGS, 0o600)
            try:
                is_ours = self._is_locked(descriptor, what, wait)
            except BaseException:
                os.close(descriptor)
                raise
            if is_ours and os.fstat(descriptor).st_nlink:
                return descriptor
            os.close(descriptor)
            if not is_ours:
                LOG.warning("%s: nothing was said of it for %.0f s", what, self._silence)
                return None
            # Else whoever had it has come to the end, and removed it.

    def _is_locked(self, descriptor: int, what: str, wait: Wait) -> bool:
        """Lock the file; False if nothing is said in it for long by whoever has it."""
        said, since = b"", wait.remaining()
        while not _try_lock(descriptor):
            now = os.pread(descriptor, _DIGITS, 0)
            if now != said:
                said, since = now, wait.remaining()
                wait.progress(float(now), what)
            elif since - wait.remaining() > self._silence:
                return False
            wait.pause(_POLL_SECONDS, what)
        return True


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
