"""The documentation site: no link of it leads nowhere, and it asks no other server for anything."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make docs` builds it: a link that leads nowhere is an error."""
    directory = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", directory],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return directory


class Loads(HTMLParser):
    """What a page has the browser load by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.found.append(said.get("src") or "")
        elif tag == "link" and said.get("rel") != "canonical":
            self.found.append(said.get("href") or "")


def test_no_page_loads_anything_from_another_origin(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 50
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text())
        assert loads.found
        assert [one for one in loads.found if "//" in one] == [], page


def test_references_are_made_from_the_code(site: Path) -> None:
    commands = (site / "reference" / "commands.html").read_text()
    assert "vmwright operation abandon --why TEXT" in commands
    assert "--boot-from-volume" in commands
    routes = (site / "reference" / "routes.html").read_text()
    assert "POST /v1/instances" in routes
    assert 'id="createrequest"' in routes
    assert (site / "images" / "create_instance.svg").read_text().startswith("<svg")
    assert (site / "source" / "examples" / "embed.py.html").exists()
