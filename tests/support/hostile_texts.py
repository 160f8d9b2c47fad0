"""Texts that somebody wrote to harm what reads them, and every place where a request takes one."""

from collections.abc import Iterator
from typing import Any

from vmwright.request import CreateRequest

SQL = (
    "'; DROP TABLE vmwright_canary; --",
    '"; DELETE FROM vmwright_canary; --',
    "x' OR '1'='1",
    "1) OR (1=1",
    "\\'; DROP TABLE vmwright_canary; --",
    "%",
    "_",
    "$1 :name %(name)s ?",
    "x'); ATTACH DATABASE 'sprung' AS s; --",
    "$$; DROP TABLE vmwright_canary; $$",
)
"""What ends a statement, or matches everything, where texts become a part of statements."""

OTHER = (
    "<domain/>]]><!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>&x;",
    "a' type='block'><source dev='/dev/sda'/>",
    "../../../../etc/cron.d/x",
    "/etc/passwd",
    "line\nanother: line\r\n\ttab",
    "\x1b[2J\x1b]0;title\x07\x9b31m",
    "\u202egnp.exe\u2066\u200f",
    "{0.__class__}{{7*7}}${jndi:ldap://x}%n%s",
    "$(touch sprung)`touch sprung`;|&",
    "nul\0byte",
    "\ud800 half a pair",
    "\ufeff\ufffe\uffff\U000e0041",
    "👩\u200d👩\u200d👧 ﷽ Z̸̡͇a̴lgo",
    "x" * 2**20,
    "",
    " ",
    "-rf",
    "auto\u0301",
)

_BESIDE: dict[tuple[str, ...], dict[str, Any]] = {
    ("networks", "network"): {},
    ("networks", "port"): {},
    ("networks",): {"network": "lan"},
    ("volumes", "image"): {},
    ("volumes", "snapshot"): {},
    ("volumes", "volume"): {},
    ("volumes",): {"size": 1},
    ("block_devices", "uuid"): {"source_type": "volume", "destination_type": "volume"},
    ("block_devices",): {"source_type": "blank", "volume_size": 1, "destination_type": "volume"},
    ("block_device_mapping", "volume_id"): {"device_name": "vdb"},
    ("block_device_mapping", "snapshot_id"): {"device_name": "vdb"},
    ("block_device_mapping",): {"device_name": "vdb", "virtual_name": "swap", "volume_size": 1},
    ("injected_files",): {"path": "/a", "content": "a"},
}
"""What a list's item needs beside the field, so that the text comes as far as it can."""

PLAIN = {"name": "web", "image": "disk", "flavor": "small"}

Place = tuple[str, ...]


def places() -> list[Place]:
    """Every place of a request that takes a text, found from its models: ``*`` is any item of a
    list, ``{}`` any value of a mapping, ``{key}`` any key of it."""
    schema = CreateRequest.model_json_schema()
    return list(dict.fromkeys(_places(schema, (), schema["$defs"])))


def _places(node: dict[str, Any], place: Place, known: dict[str, Any]) -> Iterator[Place]:
    if "$ref" in node:
        node = known[node["$ref"].rpartition("/")[2]]
    for choice in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _places(choice, place, known)
    if node.get("type") == "string" or "enum" in node or "const" in node:
        yield place
    for name, inner in node.get("properties", {}).items():
        yield from _places(inner, (*place, name), known)
    if "items" in node:
        yield from _places(node["items"], (*place, "*"), known)
    if more := node.get("additionalProperties"):
        yield (*place, "{key}")
        yield from _places(more if isinstance(more, dict) else {"enum": []}, (*place, "{}"), known)


def with_text(place: Place, text: str) -> dict[str, Any]:
    """The plainest request, as fields, with this text in this place."""
    return PLAIN | {place[0]: _value(place[:1], place[1:], text)}


def _value(before: Place, rest: Place, text: str) -> Any:
    match rest:
        case ():
            return text
        case ("*", *inner):
            item = _value(before, tuple(inner), text)
            if not isinstance(item, dict):
                return [item]
            beside = _BESIDE.get((*before, inner[0]), _BESIDE.get(before, {}))
            return [beside | item]
        case ("{}",):
            return {"key": text}
        case ("{key}",):
            return {text: "value"}
        case (name, *inner):
            return {name: _value((*before, name), tuple(inner), text)}
    raise AssertionError(rest)
