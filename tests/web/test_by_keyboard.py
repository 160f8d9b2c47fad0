"""Whoever has no mouse gets everywhere, and always sees where they are."""

import re
from dataclasses import replace

from playwright.sync_api import Browser, Page, expect

from tests.support.browser import page_serving, visiting
from tests.support.lab import Lab, request
from vmwright.controller import Controller


def submit(controller: Controller) -> None:
    controller.submit(request(name="web"))


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has this name has the focus; fail where it comes round again."""
    for _ in range(80):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.innerText?.trim()")
        if focused == name:
            assert page.evaluate("document.activeElement.matches(':focus-visible')")
            return
    raise AssertionError(f"no Tab leads to {name!r}")


def test_build_is_found_looked_at_and_cancelled(browser: Browser, lab: Lab) -> None:
    assert lab.child(submit).status == 0
    endless = replace(lab, latency="*:0,ensure_running:600")
    with page_serving(endless) as service, visiting(browser, service, endless) as visit:
        page = visit.page
        visit.open()
        tab_to(page, "web")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1, name="create web")).to_be_focused()
        visit.task("spawn", "RUNNING")
        tab_to(page, "Cancel build")
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_label("Reason (optional)")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Cancel build")).to_be_focused()
        page.keyboard.press("Enter")
        expect(dialog.get_by_label("Reason (optional)")).to_be_focused()
        page.keyboard.type("no longer wanted")
        tab_to(page, "Take it back")
        page.keyboard.press("Enter")
        dialog.wait_for(state="detached")
        visit.state("cancelled")
        expect(page.locator("main")).to_contain_text(re.compile("no longer wanted"))
