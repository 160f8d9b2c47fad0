"""Which names an option or an argument takes, and what they are in this store or at a service."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from vmwright.cli.parsing import DEVICE_KEYS, VOLUME_KEYS
from vmwright.cli.remote import Remote

Offered = tuple[str, str]
"""A word, and what it stands for."""

_BY_OPTION = {
    "--availability-zone": "zone",
    "--before": "operation",
    "--flavor": "flavor",
    "--host": "host",
    "--image": "image",
    "--kernel": "image",
    "--key-name": "keypair",
    "--marker": "instance",
    "--network": "network",
    "--nic": "network",
    "--port": "port",
    "--ramdisk": "image",
    "--remote-group": "security group",
    "--security-group": "security group",
    "--server-group": "server group",
    "--snapshot": "snapshot",
    "--volume": "volume",
}
_BY_METAVAR = {"GROUP": "security group", "OPERATION|FLOW": "operation"}
_BY_COMMAND = {
    "console": "instance",
    "debt": "debt",
    "delete": "instance",
    "flavor": "flavor",
    "host": "host",
    "image": "image",
    "keypair": "keypair",
    "network": "network",
    "operation": "operation",
    "operation abandon": "halted operation",
    "operation cancel": "unfinished operation",
    "operation resume": "unfinished operation",
    "operation retry": "halted operation",
    "operation skip": "halted operation",
    "operation wait": "unfinished operation",
    "port": "port",
    "security group": "security group",
    "security group rule": "security group rule",
    "server group": "server group",
    "show": "instance",
    "token": "token",
    "volume": "volume",
    "volume snapshot": "snapshot",
}
"""By the words that a command begins with; the longest of them counts."""

_FLOWS = ("create", "delete")


def kind_of(command: str, action: argparse.Action) -> str | None:
    """Of what kind the things are that are named here; None if something new is, or a value."""
    for option in action.option_strings:
        if option in _BY_OPTION:
            return _BY_OPTION[option]
    if action.option_strings:
        return None
    if action.metavar in _BY_METAVAR:
        return _BY_METAVAR[str(action.metavar)]
    if command.endswith("create") or action.metavar not in ("NAME", "ID"):
        return None
    words = command.split()
    begun = (" ".join(words[:length]) for length in range(len(words), 0, -1))
    return next((_BY_COMMAND[one] for one in begun if one in _BY_COMMAND), None)


def names_for(
    command: str, action: argparse.Action, current: str, said: Mapping[str, str]
) -> Iterator[Offered]:
    """The words that begin with `current`, or what the last part of it may become.

    `said` are options of the call that say where to look.
    """
    if action.metavar == "OPERATION|INSTANCE":
        yield from _named("unfinished operation", current, said)
        yield from _named("instance", current, said)
        return
    if action.metavar == "OPERATION|FLOW":
        yield from ((flow, "a flow") for flow in _FLOWS if flow.startswith(current))
    if keys := _keys_of(action):
        yield from _parts(keys, current, said)
        return
    kind = kind_of(command, action)
    if kind is not None and "," not in current:
        yield from _named(kind, current, said)


def _keys_of(action: argparse.Action) -> Sequence[str]:
    """What stands before the equals signs of a value with commas."""
    metavar = str(action.metavar)
    if metavar.startswith("size=GIB[,image"):
        return [*VOLUME_KEYS]
    return [*DEVICE_KEYS] if metavar == "KEY=VALUE,..." else []


def _parts(keys: Iterable[str], current: str, said: Mapping[str, str]) -> Iterator[Offered]:
    """``key=`` behind the last comma, or the names that this key takes."""
    before, comma, part = current.rpartition(",")
    key, equals, value = part.partition("=")
    front = before + comma
    if not equals:
        given = {one.partition("=")[0] for one in before.split(",")}
        yield from (
            (f"{front}{one}=", "") for one in keys if one.startswith(key) and one not in given
        )
    elif key in ("image", "snapshot", "volume"):
        yield from ((f"{front}{key}={name}", about) for name, about in _named(key, value, said))
    elif key == "delete":
        yield from (
            (f"{front}{key}={one}", "") for one in ("true", "false") if one.startswith(value)
        )


def _named(kind: str, current: str, said: Mapping[str, str]) -> Iterator[Offered]:
    """Names that begin so; ids where things have none, or where none is called so."""
    things = [*_things(kind, said)]
    named = {name: about for _, name, about in things if name and name.startswith(current)}
    yield from named.items()
    for id, name, about in things:
        if id.startswith(current) and (name is None or (current and not named)):
            yield id, about


def _things(kind: str, said: Mapping[str, str]) -> Iterable[tuple[str, str | None, str]]:
    options = argparse.Namespace(**said)
    if Remote.of(options) is not None:
        from vmwright.cli.names_elsewhere import things_at
        from vmwright.cli.session import Session

        session = Session(options, sys.stdout, sys.stderr)
        try:
            return [*things_at(session.controller, kind)]
        finally:
            session.close()
    from vmwright.persistence.names import names_of
    from vmwright.settings import Settings

    settings = Settings.from_files(said.get("config_file"))
    admin = "admin" in settings.caller.roles
    found = names_of(settings.database, kind, None if admin else settings.caller.project)
    return [(one.id, one.name, one.about) for one in found]
