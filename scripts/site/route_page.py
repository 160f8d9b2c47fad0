"""The reference of the HTTP API, from the OpenAPI description that the service itself gives."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from openapi_of_service import description

Schema = Mapping[str, Any]

_INTRODUCTION = """\
# Every route

This page is made from the description that a service itself gives at `/v1/openapi.json`. How it
behaves (tokens, pages, events, errors) is on [the page of the HTTP API](api.md).
"""
_METHODS = ("get", "post", "put", "patch", "delete")


def route_page() -> str:
    """The whole page."""
    described = description()
    schemas = described["components"]["schemas"]
    lines = [_INTRODUCTION]
    for tag, routes in groupby(sorted(_routes(described), key=_tag), _tag):
        lines.append(f"## {tag.replace('_', ' ').capitalize()}\n")
        for method, path, route in [found[1:] for found in routes]:
            lines += _route(method, path, route)
    lines.append("## Documents\n")
    for name in sorted(schemas):
        lines += _document(name, schemas[name])
    return "\n".join(lines)


def _routes(described: Schema) -> Iterator[tuple[str, str, str, Schema]]:
    for path, item in described["paths"].items():
        for method in _METHODS:
            if method in item:
                tags = item[method].get("tags") or ["service"]
                yield str(tags[0]), method.upper(), path, item[method]


def _tag(route: Sequence[Any]) -> str:
    return str(route[0])


def _route(method: str, path: str, route: Schema) -> Iterator[str]:
    yield f"### {method} {path.replace('{', '&#123;')}\n"
    yield f"{route.get('description') or route.get('summary', '')}\n"
    yield from _table(
        ["parameter", "in", "type", "meaning"],
        (
            [
                f"`{found['name']}`" + (" (needed)" if _is_needed(found) else ""),
                found["in"],
                _type(found.get("schema", {})),
                _line(found.get("description", "")),
            ]
            for found in route.get("parameters", ())
        ),
    )
    for kind, content in route.get("requestBody", {}).get("content", {}).items():
        yield f"**Body** ({kind}): {_type(content.get('schema', {}))}\n"
    yield from _table(
        ["answer", "meaning", "body"],
        (
            [
                status,
                _line(answer.get("description", "")),
                ", ".join(
                    f"{_type(content.get('schema', {}))} ({kind})"
                    for kind, content in answer.get("content", {}).items()
                ),
            ]
            for status, answer in route.get("responses", {}).items()
        ),
    )


def _is_needed(parameter: Schema) -> bool:
    return bool(parameter.get("required")) and parameter["in"] != "path"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table without the columns in which nothing is."""
    found = list(rows)
    columns = [place for place in range(len(head)) if any(row[place] for row in found)]
    if columns:
        for row in [head, ["---"] * len(head), *found]:
            yield f"| {' | '.join(row[place] for place in columns)} |"
        yield ""


def _document(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name}\n"
    if schema.get("description"):
        yield f"{schema['description']}\n"
    if "enum" in schema:
        yield "One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".\n"
    needed = schema.get("required", ())
    yield from _table(
        ["field", "type", "meaning"],
        (
            [
                f"`{field}`" + ("" if field in needed else " (may be left out)"),
                _type(kind),
                _line(kind.get("description", "")),
            ]
            for field, kind in schema.get("properties", {}).items()
        ),
    )


def _type(schema: Schema) -> str:
    """What may stand there, in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type(kind) for kind in schema[several]))
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    if schema.get("type") == "string" and schema.get("format"):
        return str(schema["format"])
    return str(schema.get("type", "anything"))


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
