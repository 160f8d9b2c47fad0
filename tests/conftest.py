"""One rule for all tests: with VMWRIGHT_NO_SKIP=1 a skip is a failure."""

import os
from collections.abc import Generator

import pytest

pytest.register_assert_rewrite("tests.support")

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
