"""A running service that answers on HTTP, and those who ask it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.lab import Lab
from tests.support.serving import Service, serving


@dataclass(frozen=True)
class Answering:
    """A service and its own token."""

    lab: Lab
    service: Service
    url: str
    token: str

    def asked_by(self, token: str | None, **more: Any) -> httpx.Client:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, **more)

    def token_of(self, name: str, **whose: Any) -> str:
        """A new one."""
        with self.asked_by(self.token) as client:
            made = client.post("/v1/tokens", json={"name": name, **whose})
        assert made.status_code == 201, made.text
        return str(made.json()["token"])


@contextmanager
def answering(lab: Lab, text: str = "", *, words: Sequence[str] = ()) -> Iterator[Answering]:
    """A service on a free port of loopback, with these words of the command."""
    with serving(lab, text, words=words, answers=True) as service:
        token = (lab.home / "token").read_text().strip()
        yield Answering(lab, service, service.url, token)


def wish(**changes: Any) -> dict[str, Any]:
    """A small instance, as JSON has it."""
    return {
        "name": "vm1",
        "image": "demo",
        "flavor": "small",
        "networks": [{"network": "net1"}],
    } | changes


def operation_of(accepted: httpx.Response) -> str:
    """The first operation of what was accepted."""
    assert accepted.status_code == 202, accepted.text
    return str(accepted.headers["Location"]).rpartition("/")[2]


def told(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """Server-sent events, each as its kind and data."""
    kind = ""
    for line in lines:
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))
