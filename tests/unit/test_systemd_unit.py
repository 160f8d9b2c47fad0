"""The unit that is shipped: systemd accepts it, and it fits the service's own settings."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from vmwright.cli.serve import NO_RESTART_MENDS
from vmwright.errors import InvalidRequest, StoreUnavailable
from vmwright.settings import ServiceSettings

UNIT = Path(__file__).parents[2] / "contrib" / "systemd" / "vmwright.service"


@pytest.fixture
def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(UNIT.read_text())
    return parser


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing: apt install systemd")
    # It looks for the program, which is not installed where the tests run.
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/bin/vmwright", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_waits_longer_than_the_service_takes(unit: configparser.ConfigParser) -> None:
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["KillMode"] == "mixed"
    assert int(service["TimeoutStopSec"]) > ServiceSettings().stop_timeout
    assert int(service["WatchdogSec"]) > 10 * ServiceSettings().poll_interval


def test_unit_runs_the_service_as_nobody_special(unit: configparser.ConfigParser) -> None:
    service = unit["Service"]
    assert service["ExecStart"].split()[-1] == "serve"
    assert service["User"] == "vmwright"
    assert service["Restart"] == "on-failure"
    assert service["CapabilityBoundingSet"] == ""


def test_only_what_a_restart_may_mend_is_started_again(unit: configparser.ConfigParser) -> None:
    left = {int(code) for code in unit["Service"]["RestartPreventExitStatus"].split()}
    assert left == {InvalidRequest.exit_code, NO_RESTART_MENDS}
    assert StoreUnavailable.exit_code not in left
