"""Our own flows as subjects of the kit that is shipped, with an oracle that knows them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.breaking import NO_MEANS
from tests.support.lab import Lab
from tests.support.oracle import (
    assert_nothing_left,
    assert_one_guest,
    assert_only_the_users_volume_is_left,
)
from vmwright.flows import NO_HOOKS, newest
from vmwright.testing import Matrix, Subject


def _assert_built(lab: Lab) -> None:
    assert_one_guest(lab)
    assert lab.secrets_in_clear() == []


def _flow(kind: str) -> Callable[[], Any]:
    return lambda: newest(kind).make(NO_MEANS, NO_HOOKS)


CREATE = Matrix(
    Subject(
        flow=_flow("create"),
        start=labs.create,
        prepare=labs.prepare,
        prepare_neighbour=None,
        done=_assert_built,
        undone=assert_nothing_left,
    )
)

CREATE_AMONG_OTHERS = Matrix(
    replace(CREATE.subject, prepare_neighbour=labs.prepare_beside, done=None, undone=None)
)
"""The world belongs to another deployment as well: it stays byte for byte."""


def _build(controller: Any) -> None:
    labs.prepare(controller)
    labs.create(controller)


DELETE = Matrix(
    Subject(
        flow=_flow("delete"),
        start=labs.delete,
        prepare=_build,
        prepare_neighbour=None,
        removes=True,
        done=assert_only_the_users_volume_is_left,
    )
)


_NEW_IN_ALL_TESTS = ("keeps failing after", "cut before its effect, then fails")
"""What `make test` leaves to `make test-all`."""


def cases(matrix: Matrix, *words: str) -> list[Any]:
    """Those that need nothing of a world but what the simulated one is, and whose words hold one
    of these. Points of transactions and calls are left to the sweep of all of them."""
    return [
        pytest.param(case, id=str(case), marks=_marks(case))
        for case in matrix
        if hasattr(case, "legs")
        and not case.place
        and (not words or any(word in case.words for word in words))
    ]


def _marks(case: Any) -> list[Any]:
    rare = any(word in case.words for word in _NEW_IN_ALL_TESTS)
    return [pytest.mark.slow] if rare else []
