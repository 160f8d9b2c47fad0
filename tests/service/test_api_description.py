"""The service does what its OpenAPI description says, whatever is sent to it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.answering import Answering, answering
from tests.support.lab import Lab

_JUDGED = Path(__file__).with_name("schemathesis.toml")
_ENDLESS = "(events|watch|console)$"
"""What streams until whoever listens leaves."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answering]:
    with answering(Lab(tmp_path_factory.mktemp("api")).prepared()) as running:
        yield running


@pytest.fixture(scope="module")
def description(service: Answering) -> dict[str, Any]:
    with service.asked_by(None) as client:
        found: dict[str, Any] = client.get("/v1/openapi.json").json()
    return found


def operations(description: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in description["paths"].values():
        yield from methods.values()


def test_every_operation_is_described(description: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(description)]
    assert len(names) == len(set(names))
    tags = {tag["name"] for tag in description["tags"]}
    for operation in operations(description):
        assert operation["description"], operation["operationId"]
        assert set(operation["tags"]) <= tags, operation["operationId"]
        assert "default" in operation["responses"] or "security" not in operation


def test_the_page_names_every_route(description: dict[str, Any]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "api.md").read_text()
    assert [path for path in description["paths"] if path not in page] == []


def judged(service: Answering, *words: str) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(_JUDGED), "run"]
    header = f"Authorization: Bearer {service.token}"
    found = subprocess.run(
        [
            *command,
            f"{service.url}/v1/openapi.json",
            *("--header", header, "--exclude-path-regex", _ENDLESS, "--no-color"),
            *("--request-timeout", "60", "--suppress-health-check", "all"),
            *words,
        ],
        cwd=service.lab.home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Traceback" not in service.service.log.read_text()


def test_it_is_kept_to(service: Answering) -> None:
    judged(service, "--phases", "examples,fuzzing", "--max-examples", "1", "--seed", "1")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_is_kept_to_whatever_is_sent(service: Answering) -> None:
    judged(service, "--max-examples", "20")
