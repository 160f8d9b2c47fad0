"""A few hundred inputs for everything that takes them from strangers; `make fuzz` tries more."""

from pathlib import Path

import pytest

from tests.support.disk_images import needs_qemu_img
from tests.support.fuzzing import TARGETS, Outcome, Tally, made

EXAMPLES = {"images": 150, "spec files": 300, "requests": 300, "command lines": 100}


@needs_qemu_img
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_crashes_and_nothing_escapes(tmp_path: Path, name: str) -> None:
    tally = Tally()
    with made(name, tmp_path / "target") as target:
        target.run(tally, examples=EXAMPLES[name], seeded=0)
    assert tally.bad == []
    assert tally.counts[Outcome.REFUSED]
    assert tally.counts[Outcome.ACCEPTED]
    assert sum(tally.counts.values()) >= EXAMPLES[name] // 2
