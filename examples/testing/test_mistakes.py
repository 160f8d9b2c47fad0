"""The kit finds each of the five mistakes, and says which task, how it was broken, what is left."""

from pathlib import Path
from typing import NamedTuple

import broken_licences as broken
import pytest
from test_licences import Licences

from vmwright.testing import Caught, Matrix


class Mistake(NamedTuple):
    """A task, one breakage in which it shows, and what the message says of it."""

    task: type
    case: str
    found: str


MISTAKES = [
    Mistake(broken.MissingRevert, "fails after its effect, undone once", "left in the world: "),
    Mistake(broken.ReadsItsOwnResult, "power cut before its undo, resumed", "stuck"),
    Mistake(broken.TakesAnotherOne, "runs twice", "too much in the world: "),
    Mistake(broken.RemovesEverybodys, "undo fails once", "gone from the world: "),
    Mistake(broken.Swallows, "world out of reach while undoing", "left in the world: "),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.task.__name__)
def test_mistake_is_caught(
    mistake: Mistake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LICENCE_DIR", str(tmp_path / "licences"))
    matrix = Matrix.of_hooks(post_create=[mistake.task])
    (case,) = (case for case in matrix if case.words == mistake.case)
    with pytest.raises(Caught) as caught:
        matrix.run(case, matrix.stage(tmp_path / "stage"), Licences(tmp_path / "licences"))
    said = str(caught.value)
    assert said.startswith(f"post.take_licence: {mistake.case}: ")
    assert mistake.found in said
