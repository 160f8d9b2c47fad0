"""Every command, program and file that the documents show is run, and says what they show."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.support.documents import blocks
from tests.support.documents.reader import Reader
from tests.support.documents.stock import with_example, with_stock
from vmwright.settings import DatabaseSettings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
SLOW = {
    f"docs/{name}.md"
    for name in (
        "how-to/client",
        "how-to/database",
        "how-to/embedding",
        "how-to/hosts",
        "how-to/own-backend",
        "how-to/resume",
        "how-to/service",
        "how-to/stuck-operations",
        "how-to/upgrade",
        "how-to/watch",
        "reference/api",
        "reference/cli",
    )
}
"""Pages with many commands: half a minute together is what the others may take."""


def cases() -> list[object]:
    """Each page with a block, by its path; those that take long are slow."""
    return [
        pytest.param(page, id=name, marks=[pytest.mark.slow] if name in SLOW else [])
        for page in PAGES
        if "```" in page.read_text()
        for name in [page.relative_to(ROOT).as_posix()]
    ]


@pytest.mark.parametrize("page", cases())
def test_what_a_page_shows_runs(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    def with_postgresql(reader: Reader) -> None:
        settings: DatabaseSettings = request.getfixturevalue("postgresql").fresh()
        reader.configure("[database]", f"connection = {settings.connection}")

    needs: Mapping[str, Callable[[Reader], None]] = {
        "stock": with_stock,
        "PostgreSQL": with_postgresql,
        "examples/backend, installed": partial(with_example, "backend"),
        "examples/hooks, installed": partial(with_example, "hooks"),
    }
    document = blocks.read(page)
    with Reader(tmp_path, needs) as reader:
        document.namespace["reader"] = reader
        for example in document.examples():
            try:
                example.evaluate()
            except AssertionError as error:
                where = f"{page.relative_to(ROOT)}, line {example.line}"
                raise AssertionError(f"{where}: {error}") from error


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_block_hides_from_being_run(page: Path) -> None:
    """One that is only indented has no language, and would be read by nobody."""
    text = "\n".join(part for part in page.read_text().split("```")[::2])
    assert [line for line in text.splitlines() if line.startswith("    vmwright ")] == []
