"""Conditions on hosts that users write as JSON: the hint `query`, with Nova's operators and names.

    ["and", [">=", "$free_ram_mb", 1024], ["=", "$hypervisor_type", "kvm"]]

A query is checked as a whole when it is read, so that none can fail later, on a host.
"""

import json
import math
import operator
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

MAX_LENGTH = 2048
"""Characters of a query."""

MAX_DEPTH = 8
"""Lists within lists of a query."""

Scalar = int | float | str

VARIABLES: Mapping[str, type] = {
    "availability_zone": str,
    "host": str,
    "host_ip": str,
    "hypervisor_type": str,
    "cpu_allocation_ratio": float,
    "disk_allocation_ratio": float,
    "disk_mb_used": int,
    "failed_builds": int,
    "free_disk_mb": int,
    "free_ram_mb": int,
    "num_instances": int,
    "num_io_ops": int,
    "ram_allocation_ratio": float,
    "total_usable_disk_gb": int,
    "total_usable_ram_mb": int,
    "vcpus_total": int,
    "vcpus_used": int,
}
"""What a query may ask of a host, after a `$`."""

_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_COMBINATIONS = ("not", "or", "and")
_OPERATORS = (*_ORDERS, "in", *_COMBINATIONS)
_EXAMPLE = '[">=", "$free_ram_mb", 1024]'
_LONGEST_REASON = 300


@dataclass(frozen=True)
class Variable:
    """Stands for a host's value."""

    name: str


Term = Variable | Scalar


@dataclass(frozen=True)
class Comparison:
    """The first term against all others; for `in` it is enough that it equals one of them."""

    operator: str
    terms: tuple[Term, ...]

    def holds(self, values: Mapping[str, Scalar | None]) -> bool:
        """What is not known of a host (None) makes every comparison with it false."""
        known = [values[t.name] if isinstance(t, Variable) else t for t in self.terms]
        if None in known:
            return False
        first, *others = known
        if self.operator == "in":
            return first in others
        return all(_ORDERS[self.operator](first, other) for other in others)


@dataclass(frozen=True)
class Combination:
    """`and`, `or` or `not` of conditions."""

    operator: str
    conditions: tuple["Query", ...]

    def holds(self, values: Mapping[str, Scalar | None]) -> bool:
        outcomes = (condition.holds(values) for condition in self.conditions)
        if self.operator == "not":
            return not any(outcomes)
        return all(outcomes) if self.operator == "and" else any(outcomes)


Query = Comparison | Combination


def checked_query(text: str) -> Query:
    """Read a query. `ValueError` says what is wrong with it, in a sentence for its author."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"a query has at most {MAX_LENGTH} characters, this one has {len(text)}")
    try:
        return _condition(json.loads(text, parse_constant=_refuse_constant), 1)
    except json.JSONDecodeError:
        raise ValueError(f"a query is JSON such as {_EXAMPLE}") from None
    except RecursionError:
        raise _too_deep() from None


def why_unmet(query: Query, values: Mapping[str, Scalar | None]) -> str | None:
    """None if it holds, else which part does not, and the values that the part asks for."""
    if query.holds(values):
        return None
    part = query
    while isinstance(part, Combination) and part.operator == "and":
        part = next(each for each in part.conditions if not each.holds(values))
    names = dict.fromkeys(_variables(part))
    asked = [
        f"${name} is {'not known' if values[name] is None else values[name]}" for name in names
    ]
    reason = f"{json.dumps(_as_json(part))} does not hold"
    if asked:
        reason += f": {', '.join(asked)}"
    return textwrap.shorten(reason, _LONGEST_REASON, placeholder=" ...")


def _condition(parsed: object, depth: int) -> Query:
    if not isinstance(parsed, list) or not parsed:
        raise ValueError(f"a condition is a list such as {_EXAMPLE}")
    if depth > MAX_DEPTH:
        raise _too_deep()
    verb, *rest = parsed
    if not isinstance(verb, str) or verb not in _OPERATORS:
        raise ValueError(
            f"a condition begins with one of {' '.join(_OPERATORS)}, not with {_quoted(verb)}"
        )
    if verb in _COMBINATIONS:
        return _combination(verb, rest, depth)
    return _comparison(verb, rest)


def _combination(verb: str, rest: list[object], depth: int) -> Combination:
    if verb == "not" and len(rest) != 1:
        raise ValueError(f"{verb!r} takes one condition, these are {len(rest)}")
    if not rest:
        raise ValueError(f"{verb!r} takes at least one condition")
    return Combination(verb, tuple(_condition(each, depth + 1) for each in rest))


def _comparison(verb: str, rest: list[object]) -> Comparison:
    if len(rest) < 2:
        raise ValueError(f"{verb!r} compares at least two values, as in {_EXAMPLE}")
    terms = tuple(map(_term, rest))
    texts = [term for term in terms if _is_text(term)]
    if texts and verb not in ("=", "in"):
        raise ValueError(f"{verb!r} compares numbers, and {_quoted(_as_json(texts[0]))} is text")
    if 0 < len(texts) < len(terms):
        raise ValueError(
            f"{verb!r} compares numbers with numbers and text with text: "
            f"{_quoted(_as_json(texts[0]))} is text"
        )
    return Comparison(verb, terms)


def _term(parsed: object) -> Term:
    if isinstance(parsed, bool) or not isinstance(parsed, int | float | str):
        raise ValueError(f"a value is a number, a text or a $name, not {_quoted(parsed)}")
    if isinstance(parsed, float) and not math.isfinite(parsed):
        raise ValueError("a number of a query is too large")
    if isinstance(parsed, str) and parsed.startswith("$"):
        return _variable(parsed)
    return parsed


def _variable(text: str) -> Variable:
    if text[1:] not in VARIABLES:
        known = ", ".join(f"${name}" for name in VARIABLES)
        raise ValueError(f"{_quoted(text)} is nothing that hosts have: they have {known}")
    return Variable(text[1:])


def _is_text(term: Term) -> bool:
    kind = VARIABLES[term.name] if isinstance(term, Variable) else type(term)
    return kind is str


def _variables(query: Query) -> Iterator[str]:
    if isinstance(query, Combination):
        for condition in query.conditions:
            yield from _variables(condition)
    else:
        yield from (term.name for term in query.terms if isinstance(term, Variable))


def _as_json(part: Query | Term) -> object:
    """What the author wrote for a part."""
    if isinstance(part, Combination):
        return [part.operator, *map(_as_json, part.conditions)]
    if isinstance(part, Comparison):
        return [part.operator, *map(_as_json, part.terms)]
    return f"${part.name}" if isinstance(part, Variable) else part


def _quoted(parsed: object) -> str:
    """As JSON, so that it can be recognised and is free of invisible characters; cut short."""
    text = json.dumps(parsed)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _too_deep() -> ValueError:
    return ValueError(f"a query has at most {MAX_DEPTH} lists within each other")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number that a query can compare")
