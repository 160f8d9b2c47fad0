"""What is written on the command line, taken apart; whatever is wrong with it is one sentence."""

import argparse
from pathlib import Path
from typing import Any, NoReturn

from vmwright.errors import InvalidRequest


class Parser(argparse.ArgumentParser):
    """A parser that raises `InvalidRequest` instead of writing to the terminal and leaving."""

    def error(self, message: str) -> NoReturn:
        raise InvalidRequest(message, hint=f"see: {self.prog} --help")


def add_global_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """The options that may stand before and behind the command; absent ones are not set."""
    group = parser.add_argument_group("global options")
    group.add_argument(
        "--config-file",
        default=argparse.SUPPRESS,
        metavar="FILE",
        help="read this configuration, and no other",
    )
    loudness = group.add_mutually_exclusive_group()
    loudness.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=argparse.SUPPRESS,
        help="show more of what happens; twice for everything",
    )
    loudness.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show no progress",
    )
    group.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show tracebacks of errors",
    )
    _add_service(group)
    return group


def _add_service(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--endpoint",
        default=argparse.SUPPRESS,
        metavar="URL",
        help="ask the service at this address, instead of working here (VMWRIGHT_ENDPOINT)",
    )
    group.add_argument(
        "--token-file",
        default=argparse.SUPPRESS,
        metavar="FILE",
        help="the token that the service is shown (VMWRIGHT_TOKEN); by default its own is read",
    )
    group.add_argument(
        "--insecure",
        action="store_true",
        default=argparse.SUPPRESS,
        help="let the token go to another machine in clear",
    )


def add_property(parser: argparse.ArgumentParser, help: str) -> None:
    """The option for pairs of key and value: see `unique`."""
    parser.add_argument(
        "--property",
        dest="properties",
        type=pair,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help=help,
    )


def add_key(parser: argparse.ArgumentParser, help: str) -> None:
    """The option for keys whose pairs are to go."""
    parser.add_argument(
        "--property",
        dest="properties",
        action="append",
        required=True,
        metavar="KEY",
        help=help,
    )


def network(given: str) -> dict[str, str]:
    """``N[,ip=A][,mac=M][,tag=T]``, or ``port=P[,tag=T]``, as fields of a `NetworkRequest`."""
    name, *options = given.split(",")
    if name.startswith("port="):
        return port(given.removeprefix("port="))
    if not name:
        raise argparse.ArgumentTypeError("a network begins with its name: NAME[,ip=A][,mac=M]")
    return {"network": name} | _pairs(options, ("ip", "mac", "tag"))


def port(given: str) -> dict[str, str]:
    """``P[,tag=T]`` as the fields of a `NetworkRequest`."""
    name, *options = given.split(",")
    if not name:
        raise argparse.ArgumentTypeError("a port begins with its name: NAME[,tag=T]")
    return {"port": name} | _pairs(options, ("tag",))


VOLUME_KEYS = {
    "size": "size",
    "image": "image",
    "snapshot": "snapshot",
    "volume": "volume",
    "name": "name",
    "delete": "delete_on_termination",
    "boot_index": "boot_index",
    "bus": "bus",
    "tag": "tag",
    "format": "guest_format",
}

DEVICE_KEYS = {
    "uuid": "uuid",
    "source_type": "source_type",
    "destination_type": "destination_type",
    "boot_index": "boot_index",
    "volume_size": "volume_size",
    "guest_format": "guest_format",
    "device_type": "device_type",
    "disk_bus": "disk_bus",
    "device_name": "device_name",
    "delete_on_termination": "delete_on_termination",
    "tag": "tag",
    "name": "name",
}


def volume(text: str) -> dict[str, Any]:
    """``size=1[,image=I][,name=X][,delete=true|false]`` or ``volume=V``, for a `VolumeRequest`."""
    return _converted(text, VOLUME_KEYS)


def block_device(text: str) -> dict[str, Any]:
    """``uuid=U,source_type=image,...`` as the fields of a `BlockDevice`."""
    return _converted(text, DEVICE_KEYS)


def ephemeral(text: str) -> dict[str, Any]:
    """``size=GIB[,format=F][,bus=B][,tag=T]`` as fields of a `BlockDevice`."""
    keys = {"size": "volume_size", "format": "guest_format", "bus": "disk_bus", "tag": "tag"}
    return _converted(text, keys)


def legacy_device(text: str) -> dict[str, Any]:
    """``vdb=ID:volume:10:true`` as the fields of a `LegacyDevice`."""
    device, equals, rest = text.partition("=")
    identifier, kind, size, delete, *more = [*rest.split(":"), "", "", ""]
    if not equals or not device or any(more) or kind not in ("", "snap", "snapshot", "volume"):
        raise argparse.ArgumentTypeError(f"{text!r} is not DEVICE=ID[:TYPE[:SIZE[:DELETE]]]")
    source = "snapshot_id" if kind.startswith("snap") else "volume_id"
    fields: dict[str, Any] = {"device_name": device, source: identifier}
    if size:
        fields["volume_size"] = gib(size)
    if delete:
        fields["delete_on_termination"] = _truth(delete)
    return fields


def _converted(text: str, keys: dict[str, str]) -> dict[str, Any]:
    given = _pairs(text.split(","), tuple(keys))
    return {keys[key]: _value(keys[key], value) for key, value in given.items()}


def _value(field: str, text: str) -> Any:
    if field in ("size", "volume_size"):
        return gib(text)
    if field == "delete_on_termination":
        return _truth(text)
    if field == "boot_index":
        return whole(text)
    return text


def whole(text: str) -> int:
    """A whole number, with its sign."""
    return -count(text[1:]) if text.startswith("-") else count(text)


def pool(given: str) -> tuple[str, str]:
    """``start=A,end=B``: the first and the last address to choose from."""
    ends = _pairs(given.split(","), ("start", "end"))
    if len(ends) != 2:
        raise argparse.ArgumentTypeError(f"{given!r} is not of the form start=IP,end=IP")
    return ends["start"], ends["end"]


def gib(text: str) -> int:
    """A size in whole GiB."""
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of GiB")
    return int(text)


def count(text: str) -> int:
    """A whole number that is not negative."""
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def port_range(text: str) -> tuple[int, int]:
    """``80`` or ``80:90``, as the first and the last port."""
    first, colon, last = text.partition(":")
    return count(first), count(last if colon else first)


def number(text: str) -> int:
    """A whole number that is not negative, or -1 for no limit."""
    return -1 if text == "-1" else count(text)


def ratio(text: str) -> float:
    """A finite number that is not negative."""
    return _finite(text, "a ratio such as 1.5")


def seconds(text: str) -> float:
    """A patience: a finite number of seconds, not negative."""
    return _finite(text, "a number of seconds")


def pair(text: str) -> tuple[str, str]:
    """``key=value``; the value may hold further equals signs."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form key=value")
    return key, value


def content(path: str, limit: int) -> bytes:
    """What a file of the user holds; `InvalidRequest` if it cannot be read or is too long."""
    try:
        with Path(path).open("rb") as file:
            read = file.read(limit + 1)
    except OSError as error:
        raise InvalidRequest(f"file {path!r} cannot be read: {error.strerror}") from error
    if len(read) > limit:
        raise InvalidRequest(f"file {path!r} is longer than {limit} bytes")
    return read


def text(path: str, limit: int) -> str:
    """What a text file of the user holds; raises as `content` does."""
    try:
        return content(path, limit).decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"file {path!r} is not text") from None


def unique(pairs: list[tuple[str, str]], option: str) -> dict[str, str]:
    """The pairs as a mapping; `InvalidRequest` if a key comes twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidRequest(f"{option}: the same key is given twice")
    return found


def _finite(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value


def _pairs(options: list[str], known: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if key not in known or not equals or not value:
            allowed = ", ".join(f"{name}=..." for name in known)
            raise argparse.ArgumentTypeError(f"{option!r} is not one of: {allowed}")
        if key in found:
            raise argparse.ArgumentTypeError(f"{key}= is given twice")
        found[key] = value
    return found


def _truth(text: str) -> bool:
    words = {"true": True, "yes": True, "false": False, "no": False}
    if text.lower() not in words:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return words[text.lower()]
