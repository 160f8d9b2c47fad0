"""Chromium, and what it saw: Debian's, with nothing downloaded."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Response, expect, sync_playwright

from tests.support.lab import Lab
from tests.support.npm import installed
from tests.support.serving import Service, serving

_PATIENCE = 60_000
"""Milliseconds: more than anybody would wait for. A machine that is busy is no failure."""
_AXE = Path(__file__).with_name("axe")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser. Skips the test if it is missing."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page of a service in a browser, signed in."""

    page: Page
    url: str
    token: str
    answers: list[Response] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """What the page threw, and what the browser refused it."""

    def note(self, answer: Response) -> None:
        """Keep an answer to a request of the page."""
        self.answers.append(answer)

    def open(self, path: str = "/") -> None:
        """Follow a link to the page that has the token in it."""
        self.page.goto(f"{self.url}{path}#token={self.token}")
        self.page.wait_for_selector("[data-state=live]")
        self.page.wait_for_selector("h1")
        self.page.wait_for_selector("[aria-busy=true]", state="detached")

    def task(self, name: str, *states: str) -> Locator:
        """The card of a task, once it is in one of these states."""
        which = ", ".join(f'[data-task="{name}"][data-state={state}]' for state in states)
        card = self.page.locator(which)
        card.wait_for()
        return card

    def state(self, word: str) -> None:
        """Return once the operation is said to be in this state."""
        self.page.locator(".operation-heading .pill", has_text=re.compile(f"^{word}$")).wait_for()

    def create(self, name: str) -> None:
        """Ask for an instance as a user would, and watch it being built."""
        page = self.page
        page.get_by_role("link", name="Create instance").click()
        page.get_by_label("Name").fill(name)
        page.get_by_role("button", name="Create", exact=True).click()
        page.get_by_role("button", name="Watch it being built").click()
        page.get_by_role("heading", level=1, name=f"create {name}").wait_for()

    def violations(self) -> list[str]:
        """What axe-core finds wrong with what is shown."""
        source = installed(_AXE) / "node_modules/axe-core/axe.min.js"
        self.page.evaluate(source.read_text() + ";0")
        found = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [_told(rule) for rule in found["violations"]]


@contextmanager
def visiting(browser: Browser, service: Service, lab: Lab, **options: Any) -> Iterator[Visit]:
    """A new window of the browser; at its end the page must have had nothing to complain of."""
    context = browser.new_context(**options)
    context.set_default_timeout(_PATIENCE)
    expect.set_options(timeout=_PATIENCE)
    page = context.new_page()
    visit = Visit(page, service.url, (lab.home / "token").read_text().strip())
    page.on("response", visit.note)
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on("console", lambda said: _hear(visit, said.type, said.text))
    yield visit
    context.close()
    assert not visit.complaints


@contextmanager
def page_serving(lab: Lab, name: str = "serve", port: int = 0) -> Iterator[Service]:
    """A service with its page; port 0 takes a free one."""
    with serving(lab, f"[api]\nport = {port}", name, answers=True) as service:
        yield service


def _hear(visit: Visit, kind: str, text: str) -> None:
    # A service that is away, or has said no, is told of to the user.
    if kind in ("error", "warning") and "Failed to load resource" not in text:
        visit.complaints.append(text)


def _told(rule: dict[str, Any]) -> str:
    places = "; ".join(str(node["html"])[:160] for node in rule["nodes"][:3])
    return f"{rule['id']}: {rule['help']}: {places}"
