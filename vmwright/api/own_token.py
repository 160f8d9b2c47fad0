"""The service's own token: made on first use, for whoever may read its state_dir."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from vmwright.errors import Unavailable
from vmwright.private_files import new_file, own_directory

_BYTES = 32


def own_token(state_dir: Path) -> str:
    """The token in the file `token` of a state_dir; it is made if it is not there yet."""
    path = state_dir / "token"
    try:
        own_directory(state_dir)
        with suppress(FileExistsError):
            _write(path)
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise Unavailable(f"the token in {str(path)!r} cannot be read or made: {error}") from error


def _write(path: Path) -> None:
    fresh = path.with_name(f"token.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(new_file(fresh), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(_BYTES) + "\n")
        # Whole or not at all, and never in the place of another one.
        os.link(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
