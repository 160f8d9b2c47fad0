"""However many operations there are, the page draws those that can be seen, and asks seldom."""

from dataclasses import replace

from playwright.sync_api import Browser, expect

from tests.support.browser import page_serving, visiting
from tests.support.lab import Lab, request
from vmwright.controller import Controller

MANY = 350
DRAWN = 80
"""Rows that a screen and its surroundings hold at most."""


def submit(controller: Controller) -> None:
    controller.submit_all(request(name="vm", volumes=[], min_count=MANY))


def test_long_list_is_read_page_by_page_and_drawn_where_it_is_seen(
    browser: Browser, lab: Lab
) -> None:
    assert lab.child(submit).status == 0
    endless = replace(lab, latency="*:0,ensure_running:600", parallel=3)
    with page_serving(endless) as service, visiting(browser, service, endless) as visit:
        visit.open()
        rows = visit.page.locator("tbody .row")
        expect(visit.page.get_by_role("link", name="vm-350", exact=True)).to_be_visible()
        assert rows.count() < DRAWN
        expect(visit.page.get_by_role("link", name=f"Under way {MANY}")).to_be_visible()
        last = visit.page.get_by_role("link", name="vm-1", exact=True)
        while not last.count():
            visit.page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
            visit.page.evaluate("new Promise(requestAnimationFrame)")
        last.scroll_into_view_if_needed()
        row = visit.page.get_by_role("row").filter(has=last)
        expect(row).to_contain_text("running")
        expect(row).to_contain_text("spawn")
        assert rows.count() < DRAWN
        asked = [answer.url for answer in visit.answers if "/v1/operations?" in answer.url]
        assert len([url for url in asked if "before=" in url]) == 3
        assert len(asked) < 12
