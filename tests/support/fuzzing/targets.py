"""Everything that is fuzzed, by name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.support.any_request import stocked_for_any
from tests.support.fuzzing import images, texts
from tests.support.fuzzing.tally import Outcome, Tally


@dataclass(frozen=True)
class Target:
    """What is fuzzed: its inputs, and what is done with one."""

    inputs: st.SearchStrategy[Any]
    attempt: Callable[[Any], Outcome]

    def run(self, tally: Tally, *, examples: int, seeded: int) -> None:
        """Try so many inputs, the same for the same seed."""

        @seed(seeded)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(self.inputs)
        def _try(value: Any) -> None:
            tally.note(lambda: self.attempt(value), value)

        _try()


def _images(directory: Path) -> Target:
    return Target(images.INPUTS, images.Images(directory).attempt)


def _files(directory: Path) -> Target:
    return Target(texts.FILES, texts.Files(directory).attempt)


def _requests(_directory: Path) -> Target:
    return Target(texts.wishes(), texts.requests)


def _commands(directory: Path) -> Target:
    return Target(texts.COMMANDS, texts.Commands(stocked_for_any(directory)).attempt)


TARGETS: dict[str, Callable[[Path], Target]] = {
    "images": _images,
    "spec files": _files,
    "requests": _requests,
    "command lines": _commands,
}


@contextmanager
def made(name: str, directory: Path) -> Iterator[Target]:
    """A target that may keep files in this directory."""
    directory.mkdir(parents=True, exist_ok=True)
    yield TARGETS[name](directory)
