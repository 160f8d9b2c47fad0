"""Values as programs and as people read them."""

import dataclasses
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any

_TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
_MARKS = "\u061c\u200e\u200f"
"""What changes the direction in which a line is read."""

DATA_FORMATS = frozenset({"json", "yaml"})
"""Output formats for programs: values keep their types, and nothing is left out for room."""


def values_of(thing: Any) -> dict[str, Any]:
    """All fields of a value, and of those in it: a resource's are as a service writes them."""
    dump = getattr(thing, "model_dump", None)
    values: dict[str, Any] = dataclasses.asdict(thing) if dump is None else dump(mode="json")
    return values


def fields_of(thing: Any, names: Iterable[str]) -> dict[str, Any]:
    """These fields of a stored record, or of a resource, as `plain` values."""
    if not dataclasses.is_dataclass(thing):
        written = values_of(thing)
        return {name: written[name] for name in names}
    values = {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing)}
    return {name: _field(name, values[name]) for name in names}


def seconds_of(moment: Any) -> float:
    """Seconds since the epoch: of a store's event, or of one that a service has told."""
    return float(moment.timestamp() if isinstance(moment, datetime) else moment)


def plain(value: Any) -> Any:
    """The value in JSON's types only: YAML's writer knows no others."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, int | float | None):
        return value
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return str(value)


def shown(column: str, value: Any, formatter: str) -> Any:
    """The value of a column as this output format takes it: people get text for structures."""
    known = plain(value)
    if formatter in DATA_FORMATS:
        return known
    between = "\n" if formatter == "table" else "; "
    if column in _READINGS and isinstance(known, list | dict):
        read = safe(between.join(_READINGS[column](known)))
    else:
        read = _words(known, between)
    if not isinstance(read, str) or formatter == "table":
        return read
    # A line is a thing to whoever reads these, and a shell runs what stands in double quotes.
    read = read.replace("\n", "\\n")
    return re.sub(r"([\\$`])", r"\\\1", read) if formatter == "shell" else read


def safe(text: str) -> str:
    """The text without characters that steer a terminal, or turn round what stands beside them:
    they are spelt out."""
    return "".join(
        character.encode("unicode_escape").decode() if _steers(character) else character
        for character in text
    )


def _steers(character: str) -> bool:
    if character in "\n\t":
        return False
    category, direction = unicodedata.category(character), unicodedata.bidirectional(character)
    return category in ("Cc", "Cs", "Zl", "Zp") or (character in _MARKS or direction in _TURNS)


def _addresses(nics: list[dict[str, Any]]) -> Iterable[str]:
    return (f"{nic['network']}={nic['ip']}" for nic in nics)


def _volumes(volumes: list[dict[str, Any]]) -> Iterable[str]:
    return (f"{volume['name']} ({volume['size']} GiB)" for volume in volumes)


def _error(error: dict[str, Any]) -> Iterable[str]:
    where = " on ".join(str(error[part]) for part in ("task", "host") if error.get(part))
    yield f"{where}: {error.get('message')}" if where else str(error.get("message"))


def _debts(debts: list[dict[str, Any]]) -> Iterable[str]:
    kinds = Counter((debt["kind"], debt["host"]) for debt in debts)
    return (f"{number} {kind} on {host}" for (kind, host), number in kinds.items())


def _held(remnants: list[dict[str, Any]]) -> Iterable[str]:
    for remnant in remnants:
        where = f" on {remnant['host']}" if remnant["host"] else ""
        yield f"{remnant['task']}{where}: {', '.join(remnant['things']) or 'nothing outside'}"


def _under_way(tasks: list[dict[str, Any]]) -> Iterable[str]:
    for task in tasks:
        undone = " is undone" if task["direction"] == "revert" else ""
        progress = task["progress"]
        yield task["task"] + undone + (f" {progress['fraction']:.0%}" if progress else "")


_READINGS: dict[str, Callable[[Any], Iterable[str]]] = {
    "addresses": _addresses,
    "volumes": _volumes,
    "fault": _error,
    "error": _error,
    "owes": _debts,
    "held": _held,
    "under_way": _under_way,
}
"""How people read the columns that hold structures; programs get them whole."""


def _field(name: str, value: Any) -> Any:
    from vmwright.descriptions import moment

    return moment(value) if name.endswith("_at") else plain(value)


def _words(value: Any, between: str) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{key}={_words(item, ', ')}" for key, item in value.items())
    if isinstance(value, list):
        simple = not any(isinstance(item, dict) for item in value)
        return (", " if simple else between).join(str(_words(item, ", ")) for item in value)
    return safe(value) if isinstance(value, str) else value
