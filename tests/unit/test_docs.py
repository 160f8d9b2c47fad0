"""Pictures and links in the documents are those of the code."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.breaking import NO_MEANS
from vmwright.cli.main import run
from vmwright.flows import NO_HOOKS, RECIPES, newest
from vmwright.views import RENDERERS
from vmwright.views.graph import flow_graph

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


@pytest.mark.parametrize("kind", sorted({recipe.kind for recipe in RECIPES}))
def test_picture_of_a_flow_is_current(kind: str) -> None:
    """Drawn anew by: vmwright graph NAME --format svg --output docs/images/NAME.svg"""
    recipe = newest(kind)
    picture = (ROOT / "docs" / "images" / f"{recipe.name}.svg").read_text()
    assert picture.strip() == RENDERERS["svg"](flow_graph(recipe.make(NO_MEANS, NO_HOOKS))).strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_points_to_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


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


def test_the_hook_that_the_page_shows_is_that_of_the_example() -> None:
    page = (ROOT / "docs" / "how-to" / "hooks.md").read_text()
    shown = re.findall(r"```(?:python|toml)\n(.*?)```", page, re.DOTALL)
    files = [path.read_text() for path in (ROOT / "examples" / "hooks").iterdir() if path.is_file()]
    assert len(shown) == 2
    for part in shown:
        assert any(part in text for text in files), part


def test_the_tests_that_a_page_shows_are_those_of_the_example() -> None:
    page = (ROOT / "docs" / "how-to" / "testing-your-tasks.md").read_text()
    shown = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    files = [path.read_text() for path in (ROOT / "examples" / "testing").glob("*.py")]
    assert len(shown) == 2
    for part in shown:
        assert any(part in text for text in files), part


def commands() -> Iterator[str]:
    """Every call of the command that a page shows, with the lines that it goes on on."""
    for page in PAGES:
        whole = re.sub(r"\n {8,}", " ", page.read_text())
        yield from re.findall(r"^ *(?!.*`)(vmwright [a-z][^#>\n]*)", whole, re.M)


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_a_command_that_a_page_shows_is_there_with_its_options(command: str) -> None:
    words = command.split()[1:]
    told = io.StringIO()
    while words and run(["help", *words], told, io.StringIO()) != 0:
        words.pop()
    assert words, "there is no such command"
    for option in re.findall(r"(?<![A-Za-z0-9-])--?[a-z][a-z0-9-]*", command):
        assert re.search(rf"{option}\b", told.getvalue()), option
