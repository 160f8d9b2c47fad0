"""Images as files of one directory, each under a digest of its content."""

import errno
import fcntl
import hashlib
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from vmwright.backends.image_formats import FORMATS, Inspection, Shape
from vmwright.backends.images import StoredImage
from vmwright.errors import InvalidRequest, Refused, Unavailable
from vmwright.ids import DeploymentId
from vmwright.private_files import make_directories, refuse_foreign
from vmwright.waiting import Wait

_CHUNK = 1024 * 1024
_ZEROS = bytes(_CHUNK)
_DRAFT = ".draft-"
_LOCATION = re.compile(rf"[0-9a-f]{{64}}\.(?:{'|'.join(FORMATS)})")
_EXISTING = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_COARSEST_CLOCK = 2.0
"""Seconds between two times that FAT can tell apart."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def images_of(state_dir: Path, deployment: DeploymentId) -> Path:
    """The root of a deployment's images. Two deployments never share one: what a store does not
    know, its deployment removes."""
    return state_dir / "images" / deployment


class FileImageStore:
    """Images below `root`; none describes a disk of more than `max_virtual_bytes`.

    The same content taken in twice is one file, so whoever calls `remove` must know that
    nobody else uses the location. A process that dies while it copies leaves a draft behind,
    which the next `add` of any process removes: a living one holds a lock on its own.
    """

    def __init__(
        self, root: Path, max_virtual_bytes: int, *, settled_after: float = _COARSEST_CLOCK
    ) -> None:
        self._root = root
        self._limit = max_virtual_bytes
        self._settled_after = settled_after
        self._passed: dict[StoredImage, tuple[int, ...]] = {}

    def add(self, source: Path, disk_format: str | None, wait: Wait) -> StoredImage:
        """As `ImageStore.add`. `Unavailable` if the store cannot be written, as when it is full."""
        if disk_format is not None and disk_format not in FORMATS:
            raise InvalidRequest(
                f"format {disk_format!r} is not supported",
                hint=f"convert the image to {' or '.join(FORMATS)}",
            )
        with _opened(source) as (file, length), self._storing():
            make_directories(self._root)
            self._sweep(self._dead())
            with self._draft() as (draft, path):
                shape, sha256 = self._copy(file, length, draft, disk_format, wait)
                location = f"{sha256}.{shape.disk_format}"
                self._publish(draft, path, location)
        return StoredImage(
            location=location,
            disk_format=shape.disk_format,
            size_bytes=length,
            virtual_size_bytes=shape.virtual_size_bytes,
            sha256=sha256,
        )

    def check(self, image: StoredImage) -> None:
        """As `ImageStore.check`: looks at the length and at the first MiB.

        Not again in this process while the file is the same: the rules are.
        """
        path = self.path(image.location)
        identity = _identity(path, self._settled_after)
        if identity is not None and self._passed.get(image) == identity:
            return
        self._look_at(path, image)
        if identity is not None:
            self._passed[image] = identity

    def _look_at(self, path: Path, image: StoredImage) -> None:
        try:
            with _opened(path, follow=False) as (file, length):
                inspection = Inspection()
                inspection.feed(_read(file))
                shape = inspection.verdict(length, image.disk_format, self._limit)
        except InvalidRequest as error:
            raise Refused(
                f"image {image.location} cannot be used: {error.message}", hint=error.hint
            ) from None
        found = (length, shape.virtual_size_bytes)
        if found != (image.size_bytes, image.virtual_size_bytes):
            raise Refused(
                f"image {image.location} was changed: it has {found[0]} bytes for a disk of "
                f"{found[1]}, not {image.size_bytes} for {image.virtual_size_bytes}",
                hint="delete the image and create it again",
            )

    def path(self, location: str) -> Path:
        """As `ImageStore.path`. `Refused` for what `add` never returned: it could lie anywhere."""
        if not _LOCATION.fullmatch(location):
            raise Refused(f"{location!r} is not where an image could be")
        return self._root / location

    def remove(self, location: str) -> None:
        """As `ImageStore.remove`. `Unavailable` if the store cannot be written."""
        path = self.path(location)
        with self._storing():
            path.unlink(missing_ok=True)

    def locations(self, older_than: float) -> Sequence[str]:
        """As `ImageStore.locations`."""
        latest = time.time() - older_than
        with self._storing():
            paths = self._root.iterdir() if self._root.is_dir() else ()
            return sorted(
                path.name
                for path in paths
                if _LOCATION.fullmatch(path.name) and path.stat().st_mtime <= latest
            )

    def drafts(self) -> Sequence[str]:
        """As `ImageStore.drafts`."""
        with self._storing():
            return [path.name for path in self._dead()]

    def remove_drafts(self) -> None:
        """As `ImageStore.remove_drafts`."""
        with self._storing():
            self._sweep(self._dead())

    def _copy(
        self, file: BinaryIO, length: int, draft: BinaryIO, declared: str | None, wait: Wait
    ) -> tuple[Shape, str]:
        """Copy, hash and inspect in one pass: nobody can swap the file in between."""
        digest, inspection, copied = hashlib.sha256(), Inspection(), 0
        while chunk := _read(file):
            wait.check("image import")
            if not copied:
                self._judge_head(chunk, length, declared)
            copied += len(chunk)
            if copied > length:
                break  # it grows, for ever perhaps
            digest.update(chunk)
            inspection.feed(chunk)
            _write_sparsely(draft, chunk)
            wait.moved(copied, length, "copy and hash the image")
        if copied != length:
            raise InvalidRequest("the image changed while it was read")
        return inspection.verdict(length, declared, self._limit), digest.hexdigest()

    def _judge_head(self, head: bytes, length: int, declared: str | None) -> None:
        """Refuse early what the first bytes give away already."""
        inspection = Inspection()
        inspection.feed(head)
        inspection.verdict(length, declared, self._limit)

    def _publish(self, draft: BinaryIO, path: Path, location: str) -> None:
        """Make the image appear whole and durable. What is there already is the same bytes."""
        draft.truncate()
        os.fchmod(draft.fileno(), 0o400)
        os.fsync(draft.fileno())
        path.replace(self._root / location)
        directory = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    @contextmanager
    def _draft(self) -> Iterator[tuple[BinaryIO, Path]]:
        """A file to write to, gone at the end unless it was given another name."""
        draft, path = self._locked_draft()
        with draft:
            try:
                yield draft, path
            finally:
                path.unlink(missing_ok=True)

    def _locked_draft(self) -> tuple[BinaryIO, Path]:
        """A new file whose lock says that we live: the kernel lets go of it when we do not."""
        while True:
            descriptor, name = tempfile.mkstemp(prefix=_DRAFT, dir=self._root)
            draft = os.fdopen(descriptor, "wb", buffering=0)
            fcntl.flock(draft, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return draft, Path(name)
            draft.close()  # somebody's sweep was between the file and its lock

    def _sweep(self, dead: Iterator[Path]) -> None:
        for path in dead:
            path.unlink(missing_ok=True)

    def _dead(self) -> Iterator[Path]:
        """The drafts of the dead, each while it is locked against everybody else."""
        for path in sorted(self._root.glob(f"{_DRAFT}*")):
            if path.is_symlink():
                yield path  # no draft of ours
                continue
            try:
                with os.fdopen(os.open(path, _EXISTING), "r+b") as draft:
                    fcntl.flock(draft, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    yield path
            except (BlockingIOError, FileNotFoundError):
                continue  # its owner lives, or has just ended

    @contextmanager
    def _storing(self) -> Iterator[None]:
        try:
            for directory in (self._root.parent, self._root):
                refuse_foreign(directory)
            yield
        except OSError as error:
            full = error.errno in _FULL
            raise Unavailable(
                f"the image store {self._root} {'is full' if full else 'cannot be used'}: "
                f"{error.strerror}",
                hint="free some space, or set state_dir to a larger disk"
                if full
                else "state_dir must be a directory that this user may write",
            ) from error


def _identity(path: Path, settled_after: float) -> tuple[int, ...] | None:
    """What changes with a regular file, whoever changes it.

    None for anything else, and for a file that was changed just now: the clock of a file system
    is coarse, and another change would not show.
    """
    try:
        found = path.stat(follow_symlinks=False)
    except OSError:
        return None
    is_settled = time.time() - found.st_ctime >= settled_after
    if not stat.S_ISREG(found.st_mode) or not is_settled:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@contextmanager
def _opened(source: Path, *, follow: bool = True) -> Iterator[tuple[BinaryIO, int]]:
    """The file and its length, if it is a regular one: opening a device or a pipe has effects.

    Links are the user's to make, but not in our own directory: there, `follow` none.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    with _reading(source):
        _refuse_irregular(source, source.stat(follow_symlinks=follow))
        descriptor = os.open(source, flags if follow else flags | os.O_NOFOLLOW)
        file = os.fdopen(descriptor, "rb", buffering=0)
    with file:
        found = os.fstat(descriptor)
        _refuse_irregular(source, found)
        yield file, found.st_size


def _refuse_irregular(source: Path, found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise InvalidRequest(f"{source} is a link")
    if not stat.S_ISREG(found.st_mode):
        raise InvalidRequest(f"{source} is not a file", hint="copy the image to a regular file")
    if not found.st_size:
        raise InvalidRequest("the image is empty")


@contextmanager
def _reading(source: Path | str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise InvalidRequest(f"{source} does not exist") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise InvalidRequest(f"{str(source)!r} cannot be read: {reason}") from error


def _read(file: BinaryIO) -> bytes:
    with _reading("the image"):
        return file.read(_CHUNK)


def _write_sparsely(draft: BinaryIO, chunk: bytes) -> None:
    if chunk == _ZEROS[: len(chunk)]:
        draft.seek(len(chunk), os.SEEK_CUR)
        return
    rest = memoryview(chunk)
    while rest:
        rest = rest[draft.write(rest) :]
