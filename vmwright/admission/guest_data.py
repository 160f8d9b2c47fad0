"""What a guest is told: keys, groups, files and a password."""

import json
import secrets
import string
from base64 import b64encode

import sqlalchemy as sa

from vmwright.admission.caller import Caller
from vmwright.errors import NotFound, QuotaExceeded
from vmwright.limits import QuotaSettings
from vmwright.persistence.records import SecurityGroupRule
from vmwright.persistence.stores import Stores
from vmwright.request import CreateRequest, InjectedFile
from vmwright.spec import RuleSpec, SecurityGroupSpec

UNLIMITED = -1

_DEFAULT_GROUP = "default"
_PASSWORD_LENGTH = 12
_READABLE = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1Il")))


def key_of(
    stores: Stores, connection: sa.Connection, request: CreateRequest, caller: Caller
) -> tuple[str | None, str | None]:
    """Name and text of the ssh public key."""
    if request.key_name is None:
        return None, request.key
    pair = stores.key_pairs.find(connection, caller.user, request.key_name)
    return pair.name, pair.public_key


def security_groups_of(
    stores: Stores, connection: sa.Connection, request: CreateRequest, caller: Caller
) -> tuple[SecurityGroupSpec, ...]:
    """The groups with their rules as they are now. The default one is made with the first
    instance of a project, so that it may not be there yet."""
    found = {}
    for name in request.security_groups:
        try:
            group = stores.security_groups.find(connection, caller.project, name)
        except NotFound:
            if name == _DEFAULT_GROUP:
                continue
            raise
        rules = stores.security_groups.rules(connection, group.id)
        found[group.id] = SecurityGroupSpec(
            id=group.id,
            name=group.name,
            rules=tuple(_rule(stores, connection, rule) for rule in rules),
        )
    return tuple(found.values())


def _rule(stores: Stores, connection: sa.Connection, rule: SecurityGroupRule) -> RuleSpec:
    remote = rule.remote_group_id
    return RuleSpec(
        direction=rule.direction,
        ethertype=rule.ethertype,
        protocol=rule.protocol,
        port_range_min=rule.port_range_min,
        port_range_max=rule.port_range_max,
        remote_ip_prefix=rule.remote_ip_prefix,
        remote_group=stores.security_groups.name_of(connection, remote) if remote else None,
    )


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
        made = "".join(secrets.choice(_READABLE) for _ in range(_PASSWORD_LENGTH))
        kinds = (str.islower, str.isupper, str.isdigit)
        if all(any(kind(character) for character in made) for kind in kinds):
            return made


def _bounded(count: int, limit: int, what: str) -> None:
    if limit != UNLIMITED and count > limit:
        raise QuotaExceeded(f"at most {limit} {what} are allowed, these are {count}")
