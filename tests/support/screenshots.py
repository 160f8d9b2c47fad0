"""Pictures of the page for the docs, of a deployment with a few builds in it."""

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ViewportSize

from tests.support.browser import Visit, chromium, page_serving, visiting
from tests.support.lab import Lab, prepare, request
from vmwright.controller import Controller

DESK: ViewportSize = {"width": 1280, "height": 820}
PHONE: ViewportSize = {"width": 390, "height": 820}
_SLOW = "*:1,ensure_running:600"


def register(controller: Controller) -> None:
    """What builds choose from, and some that have ended."""
    prepare(controller)
    for name in ("mail", "db-1", "db-2", "shop"):
        _build(controller, name)


def fail(controller: Controller) -> None:
    """One that is taken back."""
    _build(controller, "cache")


def _build(controller: Controller, name: str) -> None:
    wish = request(name=name, volumes=[{"size": 1}], user_data=None)
    controller.wait(controller.create(wish).id, timeout=60)


def take(browser: Browser, lab: Lab, directory: Path) -> None:
    """All pictures, of a service on this lab."""
    with page_serving(replace(lab, latency=_SLOW)) as service:

        @contextmanager
        def seen(**options: Any) -> Iterator[Visit]:
            options = {"viewport": DESK, "reduced_motion": "reduce"} | options
            with visiting(browser, service, lab, **options) as visit:
                visit.open()
                yield visit

        with seen() as visit:
            visit.create("web")
            visit.task("spawn", "RUNNING").click()
            visit.page.get_by_text(re.compile(r"^running · [2-9]")).wait_for()
            _shoot(visit, directory / "page-running.png")
        with seen() as visit:
            _shoot(visit, directory / "page-list.png")
        with seen(color_scheme="dark") as visit:
            visit.page.get_by_role("link", name="cache", exact=True).click()
            visit.state("undone")
            _shoot(visit, directory / "page-undone.png")
        with seen(viewport=PHONE) as visit:
            visit.page.get_by_role("link", name="web", exact=True).click()
            visit.task("spawn", "RUNNING")
            _shoot(visit, directory / "page-phone.png")


def _shoot(visit: Visit, path: Path) -> None:
    visit.page.mouse.move(0, 0)
    visit.page.evaluate("document.fonts.ready")
    visit.page.screenshot(path=path, animations="disabled")
    print(path, path.stat().st_size)


def main() -> None:
    directory = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as home, chromium() as browser:
        lab = Lab(Path(home) / "lab")
        lab.home.mkdir()
        assert lab.child(register).status == 0
        assert lab.with_faults("ensure_running:1:refuse").child(fail).status == 0
        take(browser, lab, directory)


if __name__ == "__main__":
    main()
