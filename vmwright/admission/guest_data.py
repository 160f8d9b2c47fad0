"""What a guest is told: keys, groups, files and a password."""

import json
import secrets
import string
from base64 import b64encode

from vmwright.admission.catalogue import Catalogue
from vmwright.errors import QuotaExceeded
from vmwright.limits import QuotaSettings
from vmwright.request import CreateRequest, InjectedFile

UNLIMITED = -1

_PASSWORD_LENGTH = 12
_READABLE = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1Il")))
_FAIR = 256 - 256 % len(_READABLE)
"""Bytes below it stand for one character as often as for any other."""
_MEANING = bytes(ord(_READABLE[byte % len(_READABLE)]) for byte in range(256))
_UNFAIR = bytes(range(_FAIR, 256))


def key_of(catalogue: Catalogue, request: CreateRequest) -> tuple[str | None, str | None]:
    """Name and text of the ssh public key."""
    if request.key_name is None:
        return None, request.key
    pairs, user = catalogue.stores.key_pairs, catalogue.caller.user
    pair = pairs.find(catalogue.connection, user, request.key_name)
    return pair.name, pair.public_key


def refuse_too_much(request: CreateRequest, limits: QuotaSettings) -> None:
    """The operator's limits on what one request carries."""
    _bounded(len(request.metadata), limits.metadata_items, "metadata items")
    _bounded(len(request.injected_files), limits.injected_files, "injected files")
    for file in request.injected_files:
        _bounded(
            len(file.path.encode()),
            limits.injected_file_path_bytes,
            "bytes in the path of an injected file",
        )
        _bounded(
            len(file.content),
            limits.injected_file_content_bytes,
            f"bytes in injected file {file.path[:100]!r}",
        )


def packed_files(files: tuple[InjectedFile, ...]) -> bytes:
    """The files as one secret."""
    packed = [{"path": file.path, "content": b64encode(file.content).decode()} for file in files]
    return json.dumps(packed).encode()


def new_password() -> str:
    """Twelve letters and digits that cannot be mistaken for each other."""
    while True:
        chosen = secrets.token_bytes(3 * _PASSWORD_LENGTH).translate(_MEANING, _UNFAIR)
        made = chosen[:_PASSWORD_LENGTH].decode()
        has_all_kinds = made != made.lower() and made != made.upper() and not made.isalpha()
        if has_all_kinds and len(made) == _PASSWORD_LENGTH:
            return made


def _bounded(count: int, limit: int, what: str) -> None:
    if limit != UNLIMITED and count > limit:
        raise QuotaExceeded(f"at most {limit} {what} are allowed, these are {count}")
