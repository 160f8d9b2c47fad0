"""Every view is for everybody, light or dark, wide or narrow; and weighs next to nothing."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route

from tests.support.browser import Visit, page_serving, visiting
from tests.support.lab import Lab, copy_of, request
from tests.support.serving import Service
from vmwright.controller import Controller

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
SCHEMES = ["light", "dark"]
LEAST_WEIGHT = 150_000
"""Bytes that a cold start may take."""


def build_and_fail(controller: Controller) -> None:
    """One that is built, one that is taken back, and one that is stuck in being taken back."""
    for name in ("built", "undone", "stuck"):
        wish = request(name=name, volumes=[{"size": 1}])
        controller.wait(controller.create(wish).id, timeout=60)


@pytest.fixture(scope="module")
def furnished(prepared, tmp_path_factory) -> Lab:
    lab = copy_of(prepared, tmp_path_factory.mktemp("furnished") / "lab")
    faults = ("ensure_running:2:refuse", "ensure_running:3:refuse", "ensure_no_domain:2+:refuse")
    ended = lab.with_faults(*faults).child(build_and_fail)
    assert ended.status == 0, ended.output
    return lab


@pytest.fixture(scope="module")
def service(furnished: Lab) -> Iterator[Service]:
    with page_serving(furnished) as running:
        yield running


def addresses(lab: Lab) -> list[str]:
    """Every view, and of operations and instances one of each kind."""
    operations = lab.rows("SELECT id FROM vmwright_operations ORDER BY seq")
    instances = lab.rows("SELECT id FROM vmwright_instances WHERE name = 'built'")
    known = [f"/operations/{row['id']}" for row in operations]
    known += [f"/instances/{row['id']}" for row in instances]
    return ["/", "/instances", "/create", "/hosts", "/audit", *known]


def look_closely(visit: Visit) -> None:
    """Open what is closed."""
    page = visit.page
    for card in page.locator("[data-task=spawn]").all():
        card.click()
    for button in page.get_by_role("button", name="Add a volume").all():
        button.click()
    for button in page.get_by_role("button", name="Plan", exact=True).all():
        page.get_by_label("Name").fill("planned")
        button.click()
        page.get_by_role("heading", name="Plan").wait_for()


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        pytest.param(DESK, "light", id="desk-light"),
        pytest.param(PHONE, "dark", id="phone-dark"),
        pytest.param(DESK, "dark", id="desk-dark", marks=pytest.mark.slow),
        pytest.param(PHONE, "light", id="phone-light", marks=pytest.mark.slow),
    ],
)
def test_nothing_is_wrong_for_anybody(
    browser: Browser, service: Service, furnished: Lab, scheme: str, size: dict[str, int]
) -> None:
    options = {"color_scheme": scheme, "viewport": size, "reduced_motion": "reduce"}
    with visiting(browser, service, furnished, **options) as visit:
        found = {}
        for path in addresses(furnished):
            visit.open(path)
            look_closely(visit)
            found[path] = visit.violations()
            widths = visit.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert widths[0] <= widths[1], path
        assert not {path: wrong for path, wrong in found.items() if wrong}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_nothing_is_wrong_with_questions_and_the_door(
    browser: Browser, service: Service, furnished: Lab, scheme: str
) -> None:
    stuck = addresses(furnished)[7]
    with visiting(browser, service, furnished, color_scheme=scheme) as visit:
        visit.open(stuck)
        visit.page.get_by_role("button", name="Skip spawn").click()
        assert visit.violations() == []
        visit.page.keyboard.press("Escape")
        visit.page.get_by_role("button", name="Sign out").click()
        visit.page.get_by_label("Token").fill("wrong")
        visit.page.get_by_role("button", name="Sign in").click()
        visit.page.get_by_text("this token is not known here").wait_for()
        assert visit.violations() == []
        assert visit.page.evaluate("sessionStorage.length") == 0


def test_cold_start_is_light_and_asks_nobody_else(
    browser: Browser, service: Service, furnished: Lab
) -> None:
    with visiting(browser, service, furnished) as visit:
        asked: list[str] = []
        visit.page.context.route("**", lambda route: _note(asked, route))
        visit.open()
        assert visit.page.url == f"{visit.url}/"
        weight = sum(len(answer.body()) for answer in visit.answers if "/v1/" not in answer.url)
        sent = visit.page.evaluate(
            "performance.getEntries().reduce((sum, one) => sum + (one.transferSize ?? 0), 0)"
        )
    assert all(url.startswith(f"{visit.url}/") for url in asked)
    assert not any(visit.token in url for url in asked)
    assert 0 < sent < LEAST_WEIGHT
    assert weight < 2 * LEAST_WEIGHT


def _note(asked: list[str], route: Route) -> None:
    asked.append(route.request.url)
    route.continue_()
