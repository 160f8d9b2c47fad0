"""Builds as they are seen in a browser: live, through the death of their service, and taken back.

What is to be seen lasts until the test lets it go on: it kills the service, and starts one that is
faster.
"""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from playwright.sync_api import Browser, expect

from tests.support.browser import Visit, page_serving, visiting
from tests.support.lab import Lab
from tests.support.oracle import assert_nothing_left
from tests.support.serving import Service


@contextmanager
def dying(visit: Visit, service: Service, lab: Lab) -> Iterator[None]:
    """Kill the service; then another one answers at its address, which the page finds by itself."""
    visit.page.evaluate("window.isTheSame = true")
    service.stop(signal.SIGKILL)
    visit.page.locator("[data-state=waiting]").wait_for()
    port = int(service.url.rpartition(":")[2])
    with page_serving(lab, "again", port):
        visit.page.locator("[data-state=live]").wait_for()
        yield
        assert visit.page.evaluate("window.isTheSame")


def test_build_is_watched_through_the_death_of_its_service(browser: Browser, lab: Lab) -> None:
    slow = replace(lab, latency="*:0,ensure_running:600")
    with page_serving(slow) as service, visiting(browser, service, slow) as visit:
        visit.open()
        visit.create("web")
        visit.task("spawn", "RUNNING")
        visit.task("mark_active", "PENDING")
        with dying(visit, service, lab):
            visit.state("done")
            visit.task("spawn", "SUCCESS")
            visit.task("mark_active", "SUCCESS")
            assert visit.page.locator(".timeline .span[title*='cut off']").count() == 1
            expect(visit.page.locator("section", has_text="Addresses")).to_contain_text("10.1.0.")
    assert [domain["state"] for domain in lab.things("domains")] == ["running"]


def test_failed_build_is_seen_taken_back(browser: Browser, lab: Lab) -> None:
    failing = replace(
        lab,
        latency="*:0,ensure_no_domain:600",
        faults=("ensure_running:1:refuse",),
        undo_deadline=600.0,
    )
    with page_serving(failing) as service, visiting(browser, service, failing) as visit:
        visit.open()
        visit.create("web")
        visit.task("spawn", "REVERTING")
        visit.task("plug_network", "SUCCESS")
        expect(visit.page.locator(".arrow.back-ahead")).not_to_have_count(0)
        with dying(visit, service, lab):
            visit.state("undone")
            visit.task("spawn", "REVERTED")
            visit.task("allocate_network", "REVERTED")
            expect(visit.page.locator(".arrow.back")).not_to_have_count(0)
            why = visit.page.locator(".said.failure").first
            expect(why).to_contain_text("refused as the settings ask")
            expect(why).to_contain_text("in task spawn · on host host1")
            visit.page.get_by_role("link", name="Operations", exact=True).first.click()
            row = visit.page.get_by_role("row", name=re.compile("web"))
            expect(row).to_contain_text("undone")
    assert_nothing_left(lab)
