"""Files and directories that are this user's alone, whatever the umask. They raise `OSError`."""

import errno
import fcntl
import os
import stat
from pathlib import Path


def make_directories(path: Path) -> None:
    """Make a directory, and those above it that are missing, for this user alone."""
    if path.is_dir():
        return
    make_directories(path.parent)
    path.mkdir(exist_ok=True, mode=0o700)


def refuse_foreign(directory: Path) -> None:
    """Raise unless a directory of ours, if it is there, is one: no link, and not for everybody
    to write to, who could put links to other files in the place of ours."""
    try:
        found = directory.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, f"{directory} is a link or no directory")
    if found.st_mode & stat.S_IWOTH:
        raise PermissionError(errno.EPERM, f"everybody may write to {directory}")


def own_directory(directory: Path) -> None:
    """Have a directory of ours; it is refused as by `refuse_foreign`, before anything is made."""
    refuse_foreign(directory)
    make_directories(directory)


def new_file(path: Path) -> int:
    """A descriptor of a new file, for this user alone; `FileExistsError` also for a link."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def is_unlocked(path: Path) -> bool:
    """Whether the file of a lock is there, and nobody holds the lock."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        # Shared: two who look at once do not take each other for the owner.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)
