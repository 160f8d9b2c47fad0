"""Pictures and links in the documents are those of the code."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.breaking import NO_MEANS
from vmwright.flows import NO_HOOKS, RECIPES, newest
from vmwright.views import RENDERERS
from vmwright.views.graph import flow_graph

ROOT = Path(__file__).parents[2]
GENERATED = {ROOT / "docs" / "reference" / name for name in ("commands.md", "routes.md")}
"""Pages that the build of the site makes from the code: scripts/site/hooks.py."""
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


@pytest.mark.parametrize("kind", sorted({recipe.kind for recipe in RECIPES}))
def test_picture_of_a_flow_is_current(kind: str) -> None:
    """Drawn anew by: scripts/draw-pictures"""
    recipe = newest(kind)
    picture = (ROOT / "docs" / "images" / f"{recipe.name}.svg").read_text()
    assert picture.strip() == RENDERERS["svg"](flow_graph(recipe.make(NO_MEANS, NO_HOOKS))).strip()


def test_pictures_of_terminals_are_current() -> None:
    script = ROOT / "scripts" / "draw-pictures"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stderr}run: scripts/draw-pictures"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_points_to_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        path = (page.parent / target).resolve()
        assert path in GENERATED or path.exists(), target


def test_files_that_the_architecture_names_are_there() -> None:
    text = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
    for name in re.findall(r"`([a-z_]+(?:/[a-z_]*)*(?:\.py)?)`", text):
        if "/" in name or name.endswith(".py"):
            assert (ROOT / name).exists() or (ROOT / "vmwright" / name).exists(), name


NAMED_TEST = re.compile(r"`(tests/[a-z_/]+\.py)?::(test_[a-z_0-9]+)`")


def named_tests() -> Iterator[tuple[str, str]]:
    """File and function; one without a file is in the file that was named before it."""
    for page in PAGES:
        file = ""
        for named, test in NAMED_TEST.findall(page.read_text()):
            file = named or file
            yield file, test


@pytest.mark.parametrize(("file", "test"), sorted(set(named_tests())))
def test_a_test_that_a_page_names_is_there(file: str, test: str) -> None:
    assert f"\ndef {test}(" in (ROOT / file).read_text()
