"""One prepared deployment and one browser for a file's tests."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import chromium
from tests.unwind.conftest import lab, prepared

__all__ = ["browser", "lab", "prepared"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found
