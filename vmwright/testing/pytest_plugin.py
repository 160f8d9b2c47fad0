"""For pytest: a test for every way in which a task of yours can be broken.

Loaded by pytest wherever vmwright is installed; it costs nothing until it is used.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from vmwright.testing.matrix import Matrix
    from vmwright.testing.stage import Stage

_CASE, _STAGES = "vmwright_case", "vmwright_stages"

Test = Callable[..., Any]


def breaks_on_purpose(matrix: "Matrix | None" = None, **subject: Any) -> Callable[[Test], Test]:
    """Make a test of every case of a matrix.

    Takes a `Matrix`, or what `Matrix.of_hooks` takes (``pre_create=``, ``post_create=``,
    ``request=``), or what `Matrix.of_flow` takes (``flow=``, ``request=``). The function that
    is decorated may use fixtures; it returns the `World` that the tasks change, or several by
    name.
    """
    matrix = _matrix(**subject) if matrix is None else matrix
    if inspect.isfunction(matrix):
        raise _nothing_to_break()

    def decorate(function: Test) -> Test:
        @functools.wraps(function)
        def test(*arguments: Any, **fixtures: Any) -> None:
            case, stages = fixtures.pop(_CASE), fixtures.pop(_STAGES)
            worlds = function(*arguments, **fixtures)
            _refuse_what_is_no_world(function, worlds)
            _run(matrix, case, stages(matrix), worlds)

        wanted = inspect.signature(function)
        own = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in (_CASE, _STAGES)]
        test.__signature__ = wanted.replace(  # type: ignore[attr-defined]
            parameters=[*wanted.parameters.values(), *own], return_annotation=None
        )
        marked: Test = pytest.mark.parametrize(_CASE, list(matrix), ids=str)(test)
        return marked

    return decorate


def _matrix(**subject: Any) -> "Matrix":
    from vmwright.testing.matrix import Matrix

    # Without any, a build without plug-ins would be broken, and nothing of whoever asks.
    if not any(subject.get(what) for what in ("flow", "pre_create", "post_create")):
        raise _nothing_to_break()
    return Matrix.of_flow(**subject) if "flow" in subject else Matrix.of_hooks(**subject)


def _nothing_to_break() -> Exception:
    from vmwright.errors import InvalidRequest

    return InvalidRequest(
        "no task is named that could be broken",
        hint="@breaks_on_purpose(post_create=[YourTask]), or pre_create=, or flow=",
    )


def _refuse_what_is_no_world(function: Test, worlds: Any) -> None:
    if worlds is None:
        pytest.fail(f"{function.__name__} returns no world: nothing could be looked at")
    for world in worlds.values() if isinstance(worlds, Mapping) else [worlds]:
        if not callable(getattr(world, "snapshot", None)):
            pytest.fail(
                f"{function.__name__} returns {world!r}, which is no world: "
                "it has no method snapshot()"
            )


def _run(matrix: "Matrix", case: Any, stage: "Stage", worlds: Any) -> None:
    from vmwright.testing.verdict import Caught, NotShown

    found: Exception | None = None
    try:
        matrix.run(case, stage, worlds)
    except (NotShown, Caught) as error:
        found = error
    if isinstance(found, NotShown):
        pytest.skip(str(found))
    if isinstance(found, Caught):
        # The message holds what was found; where in the kit it was found says nothing.
        pytest.fail(str(found), pytrace=False)


@pytest.fixture(scope="session")
def vmwright_prepared(
    tmp_path_factory: pytest.TempPathFactory,
) -> "Callable[[Matrix], Stage]":
    """Makes the deployment that a matrix needs, once."""
    known: dict[int, tuple[Matrix, Stage]] = {}

    def prepared(matrix: "Matrix") -> "Stage":
        if id(matrix) not in known:
            home = tmp_path_factory.mktemp("vmwright") / "stage"
            # With the matrix: as long as it lives, nobody else has its id.
            known[id(matrix)] = (matrix, matrix.stage(home))
        return known[id(matrix)][1]

    return prepared


@pytest.fixture
def vmwright_stages(
    vmwright_prepared: "Callable[[Matrix], Stage]", tmp_path: Path
) -> "Callable[[Matrix], Stage]":
    """Gives a test a deployment of its own for a matrix."""
    return lambda matrix: vmwright_prepared(matrix).copied_to(tmp_path / "vmwright")
