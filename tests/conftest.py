"""One rule for all tests: with VMWRIGHT_NO_SKIP=1 a skip is a failure. One server of each kind."""

import os
from collections.abc import Generator, Iterator

import pytest

pytest.register_assert_rewrite("tests.support")

from tests.support import databases  # noqa: E402 - after what it says of this
from tests.support.servers import Server, running  # noqa: E402

Report = pytest.TestReport | pytest.CollectReport


def _strict(report: Report) -> Report:
    if report.skipped and not hasattr(report, "wasxfail") and os.getenv("VMWRIGHT_NO_SKIP") == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"VMWRIGHT_NO_SKIP=1 forbids this: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Report, Report]:
    return _strict((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Report, Report]:
    return _strict((yield))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """One server for the whole session."""
    yield from _served("postgresql")


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """One server for the whole session."""
    yield from _served("mariadb")


def _served(name: str) -> Iterator[Server]:
    if reason := databases.missing(name):
        pytest.skip(reason)
    with running(databases.SERVERS[name]) as server:
        yield server
