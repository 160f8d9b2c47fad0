"""Requests in a YAML file: read with the line of whatever is wrong, and written from options."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from vmwright.errors import InvalidRequest
from vmwright.request import CreateRequest
from vmwright.request.create import MOST_INSTANCES
from vmwright.request.model import explain, place_of

INSTANCES = "instances"
"""The key of a file that describes several."""

_LONGEST = 2**20
_MOST_VALUES = 200_000
_LONGEST_NUMBER = 64
_TEXTS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:binary")


def read_requests(path: str) -> list[CreateRequest]:
    """The requests in a file: a mapping of fields, or a list of such under ``instances``.

    `InvalidRequest` that names line and field.
    """
    node, content = _parsed(path, _text(path))
    if node is None or not isinstance(content, Mapping) or not content:
        raise InvalidRequest(f"{path}:1: it is not a mapping of fields such as name: and flavor:")
    if INSTANCES not in content:
        return [_request(path, content, node, ())]
    several = content[INSTANCES]
    if len(content) > 1 or not isinstance(several, list) or not several:
        line = _line(node, (INSTANCES,))
        raise InvalidRequest(f"{path}:{line}: {INSTANCES}: is a list, and nothing is beside it")
    requests = [
        _request(path, one, node, (INSTANCES, position)) for position, one in enumerate(several)
    ]
    count = sum(request.count for request in requests)
    if count > MOST_INSTANCES:
        line = _line(node, (INSTANCES,))
        raise InvalidRequest(
            f"{path}:{line}: {INSTANCES}: at most {MOST_INSTANCES} are asked for at once, these "
            f"are {count}"
        )
    return requests


def written(fields: Mapping[str, Any]) -> str:
    """A file that says the same as these fields of a request."""
    text: str = yaml.safe_dump(_readable(dict(fields)), sort_keys=False, allow_unicode=True)
    return text


def _text(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise InvalidRequest(f"file {path!r} is longer than {_LONGEST} bytes")
        return content.decode()
    except OSError as error:
        raise InvalidRequest(f"file {path!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise InvalidRequest(f"file {path!r} is not text") from None


def _parsed(path: str, text: str) -> tuple[yaml.Node | None, Any]:
    """The file with its lines, and as values."""
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None, None
        _refuse_bomb(node)
        return node, loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise InvalidRequest(f"{path}:{mark.line + 1 if mark else 1}: {problem}") from None
    except RecursionError:
        raise InvalidRequest(f"{path}:1: it is too deeply nested") from None
    except ValueError as error:  # a date that no calendar has
        raise InvalidRequest(f"{path}:1: {' '.join(str(error).split())}") from None
    except (LookupError, TypeError, AttributeError, ArithmeticError):
        # PyYAML, where a tag such as !!timestamp is given to something else
        raise InvalidRequest(f"{path}:1: a value is not what its tag says") from None
    finally:
        if loader is not None:
            loader.dispose()


def _refuse_bomb(root: yaml.Node) -> None:
    """Refuse a small file that is a large value: by aliases within aliases, or as a number."""
    sizes: dict[int, int] = {}
    under_way: set[int] = set()

    def size_of(node: yaml.Node) -> int:
        known = sizes.get(id(node))
        if known is not None:
            return known
        if id(node) in under_way:
            raise _unbounded(node, "it holds itself")
        under_way.add(id(node))
        size = 1 + sum(size_of(child) for child in _children(node))
        under_way.remove(id(node))
        if size > _MOST_VALUES:
            raise _unbounded(node, f"with all that its aliases stand for it has over {size} values")
        sizes[id(node)] = size
        return size

    size_of(root)


def _children(node: yaml.Node) -> Iterable[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if node.tag not in _TEXTS and len(node.value) > _LONGEST_NUMBER:
        raise _unbounded(node, f"a number or date has at most {_LONGEST_NUMBER} characters")
    return ()


def _unbounded(node: yaml.Node, problem: str) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)


class _Loader(yaml.SafeLoader):
    """Refuses what YAML's own loader takes without a word: a key that comes twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"{key.value} is given twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _request(
    path: str, fields: object, root: yaml.Node, above: tuple[str | int, ...]
) -> CreateRequest:
    if not isinstance(fields, Mapping):
        line = _line(root, above)
        raise InvalidRequest(f"{path}:{line}: an instance is a mapping of fields")
    try:
        return CreateRequest.model_validate(dict(fields))
    except ValidationError as error:
        line = _line(root, (*above, *place_of(error)))
        raise InvalidRequest(f"{path}:{line}: {explain(error)}") from None


def _line(root: yaml.Node, place: Sequence[str | int]) -> int:
    """The line of a field; of what it would be in, if it is not there."""
    node, line = root, int(root.start_mark.line)
    for part in place:
        found = _child(node, part)
        if found is None:
            break
        line, node = found
    return line + 1


def _child(node: yaml.Node, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        child = node.value[part]
        return child.start_mark.line, child
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line, value
    return None


def _readable(value: Any) -> Any:
    """Bytes as text where they are text: YAML would write base64."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    if isinstance(value, Mapping):
        return {str(key): _readable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(item) for item in value]
    return value
