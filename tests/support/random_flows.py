"""Flows of any shape, for properties that must hold of all of them."""

from dataclasses import dataclass
from itertools import count
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from taskflow.patterns import linear_flow, unordered_flow

from tests.support.sample_graphs import Sample

UNHURRIED = settings(deadline=None)
"""A property is no benchmark: the machine may be busy."""

_LEAF = "task"
_SHAPES = st.recursive(
    st.just(_LEAF),
    lambda inner: st.tuples(
        st.sampled_from([linear_flow.Flow, unordered_flow.Flow]),
        st.lists(inner, min_size=1, max_size=4),
    ),
    max_leaves=12,
)


@dataclass(frozen=True)
class RandomFlow:
    """A flow, and which of its tasks must precede which."""

    flow: Any
    precedence: frozenset[tuple[str, str]]
    values: frozenset[tuple[str, str, str]]
    """Provider, consumer and name of each value."""


@st.composite
def random_flows(draw: st.DrawFn) -> RandomFlow:
    shape = (linear_flow.Flow, [draw(_SHAPES)])
    precedence: set[tuple[str, str]] = set()
    names = _named(shape, count(), precedence)
    tasks, values = {}, set()
    for name in names:
        before = [one for one, other in sorted(precedence) if other == name]
        givers = draw(st.lists(st.sampled_from(before), unique=True)) if before else []
        values |= {(giver, name, f"of_{giver}") for giver in givers}
        tasks[name] = Sample(name, " ".join(f"of_{giver}" for giver in givers), f"of_{name}")
    flow = _built(shape, iter(tasks.values()), count())
    return RandomFlow(flow, frozenset(precedence), frozenset(values))


def _named(shape: Any, numbers: Any, precedence: set[tuple[str, str]]) -> list[str]:
    """The names of a shape's tasks in order; what must precede what is added to `precedence`."""
    if shape == _LEAF:
        return [f"t{next(numbers)}"]
    kind, children = shape
    done: list[str] = []
    for child in children:
        names = _named(child, numbers, precedence)
        if kind is linear_flow.Flow:
            precedence |= {(one, other) for one in done for other in names}
        done += names
    return done


def _built(shape: Any, tasks: Any, numbers: Any) -> Any:
    if shape == _LEAF:
        return next(tasks)
    kind, children = shape
    flow = kind(f"flow{next(numbers)}")
    return flow.add(*[_built(child, tasks, numbers) for child in children])
