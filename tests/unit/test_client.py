"""The client without a service: addresses and tokens, what it mirrors, what it makes of answers."""

import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest

from tests.support.sample_graphs import SAMPLES
from vmwright.client import nouns
from vmwright.client.client import Client
from vmwright.client.inventory import Inventory
from vmwright.client.upkeep import Upkeep
from vmwright.controller import Controller
from vmwright.errors import (
    Conflict,
    Damaged,
    InvalidRequest,
    NotFound,
    QuotaExceeded,
    StoreUnavailable,
    Unauthenticated,
    Unavailable,
    VmwrightError,
)
from vmwright.inventory import Inventory as Embedded
from vmwright.inventory.key_pairs import KeyPairs
from vmwright.inventory.ports import Ports
from vmwright.inventory.quotas import Quotas
from vmwright.inventory.security_groups import SecurityGroups
from vmwright.inventory.server_groups import ServerGroups
from vmwright.inventory.tokens import Tokens
from vmwright.reconcilers.upkeep import Upkeep as EmbeddedUpkeep
from vmwright.views import as_json, dot, mermaid, svg, text
from vmwright.views.from_json import graph_of

TOKEN = "token-of-a-test-57c1"

MIRRORED = [
    (Controller, Client),
    (Embedded, Inventory),
    (EmbeddedUpkeep, Upkeep),
    (Ports, nouns.Ports),
    (KeyPairs, nouns.KeyPairs),
    (Quotas, nouns.Quotas),
    (SecurityGroups, nouns.SecurityGroups),
    (ServerGroups, nouns.ServerGroups),
    (Tokens, nouns.Tokens),
]

ONLY_WHERE_THE_STORE_IS = {
    "accept_restored": "vmwright db restored: a service stops until it was called",
    "caller": "GET /v1/me says it",
    "deployment": "GET /v1/me says it",
    "ensure_default_host": "the service does it as the first build comes",
    "ensure_some_host_answers": "the service does it as a build comes",
    "feed": "the events of GET /v1/events come from it",
    "has_host": "takes a connection to the store",
    "history": "of this machine",
    "hosts_in_use": "GET /v1/hosts shows both",
    "instances_of": "described instances have their operations",
    "as_they_stand": "what comes from a service is as it stands",
    "caller_of": "the service asks it for every request",
    "check": "GET /readyz says it",
    "overview": "GET /metrics says it",
    "refuse_image": "the service does it before it takes an image in",
    "auditor": "what an audit is made of",
    "learn_of_guest": "the service does it before a delete",
    "on_behalf_of": "another token is another client",
    "refuse_to_touch_guest": "the service does it before a resume",
    "rights": "the service has them",
    "runs": "GET /v1/me says it",
    "sees": "the service knows",
    "serve_until": "is what a service does",
    "settings": "the service's own",
}


def _public(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}


@pytest.mark.parametrize(("there", "here"), MIRRORED, ids=lambda kind: kind.__qualname__)
def test_client_has_the_methods_of_what_it_stands_for(there: type, here: type) -> None:
    missing = _public(there) - _public(here) - set(ONLY_WHERE_THE_STORE_IS)
    assert not missing
    for name in _public(there) & _public(here):
        ours, theirs = getattr(here, name), getattr(there, name)
        if inspect.isfunction(ours) and inspect.isfunction(theirs):
            _is_called_alike(inspect.signature(ours), inspect.signature(theirs), name)


def _is_called_alike(ours: inspect.Signature, theirs: inspect.Signature, name: str) -> None:
    takes_any = any(one.kind is one.VAR_KEYWORD for one in ours.parameters.values())
    for parameter in theirs.parameters.values():
        known = ours.parameters.get(parameter.name)
        if known is None and takes_any and parameter.kind is not parameter.POSITIONAL_ONLY:
            continue
        assert known is not None, f"{name}: {parameter.name}"
        assert known.kind is parameter.kind, f"{name}: {parameter.name}"


@pytest.mark.parametrize(
    "endpoint",
    [
        "127.0.0.1:8765",
        "ftp://127.0.0.1",
        "http://",
        "http://user:word@127.0.0.1",
        "http://127.0.0.1/?a=b",
        "http://127.0.0.1:port",
        "http://192.0.2.1:8765",
        "http://localhost.example.org",
    ],
)
def test_token_is_taken_to_no_such_address(endpoint: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Client(endpoint, TOKEN)
    assert TOKEN not in f"{refused.value.message} {refused.value.hint}"


@pytest.mark.parametrize(
    ("endpoint", "insecure"),
    [
        ("http://127.0.0.1:8765/", False),
        ("http://[::1]:8765", False),
        ("http://localhost:8765", False),
        ("https://build.example.org/vmwright", False),
        ("http://192.0.2.1:8765", True),
    ],
)
def test_token_is_taken_to_this_machine_by_tls_or_where_it_is_said(
    endpoint: str, insecure: bool
) -> None:
    with Client(endpoint, TOKEN, insecure=insecure) as client:
        assert repr(client) == f"<Client of {endpoint.rstrip('/')}>"


@pytest.mark.parametrize("token", ["", " \n", "two words", "büchse", "a\nb"])
def test_what_can_be_no_token_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Client("http://127.0.0.1:1", token)
    assert not token.strip() or token.strip() not in refused.value.message


def test_service_that_is_not_there_is_told_of_by_its_address() -> None:
    with Client("http://127.0.0.1:1", TOKEN) as client, pytest.raises(Unavailable) as told:
        client.operations()
    assert "http://127.0.0.1:1 cannot be reached" in told.value.message
    assert "vmwright serve" in told.value.hint
    with Client("http://127.0.0.1:1", TOKEN) as client, pytest.raises(Unavailable):
        client.wait("operation")


def test_closed_client_asks_nothing() -> None:
    client = Client("http://127.0.0.1:1", TOKEN)
    client.close()
    client.close()
    with pytest.raises(Conflict):
        client.operations()


PROBLEM = {"detail": "what is wrong", "hint": "what to do", "host": "host1"}


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "QuotaExceeded", QuotaExceeded),
        (409, "Damaged", Damaged),
        (503, "StoreUnavailable", StoreUnavailable),
        (404, "OfAnotherRelease", NotFound),
        (400, "OSError", InvalidRequest),
    ],
)
def test_problem_is_the_error_that_it_was(
    status: int, code: str, kind: type[VmwrightError]
) -> None:
    answer = (status, "application/problem+json", {}, {**PROBLEM, "code": code, "cause": "why"})
    with (
        stranger(answer) as url,
        Client(url, TOKEN, patience=0.0) as client,
        pytest.raises(kind) as told,
    ):
        client.debts()
    error = told.value
    assert type(error) is kind
    assert (error.message, error.hint, error.host) == ("what is wrong", "what to do", "host1")
    assert str(error.__cause__) == "why"


def test_unknown_token_is_told_of_with_the_ways_to_give_one() -> None:
    answer = (401, "application/problem+json", {}, {**PROBLEM, "code": "Unauthenticated"})
    with (
        stranger(answer) as url,
        Client(url, TOKEN) as client,
        pytest.raises(Unauthenticated) as told,
    ):
        client.debts()
    assert "VMWRIGHT_TOKEN" in told.value.hint
    assert TOKEN not in told.value.hint


@pytest.mark.parametrize("status", [302, 404, 502])
def test_stranger_is_not_taken_for_a_service(status: int) -> None:
    elsewhere = {"Location": "http://127.0.0.1:1/v1/debts"}
    answer = (status, "text/html", elsewhere, "<p>")
    with (
        stranger(answer) as url,
        Client(url, TOKEN) as client,
        pytest.raises(VmwrightError) as told,
    ):
        client.debts()
    assert url in told.value.message
    assert str(status) in told.value.message


@pytest.mark.parametrize("content", [{"debts": "many"}, [{"id": "a-secret-5d1f"}], "text"])
def test_answer_of_another_release_is_an_error_of_ours_and_not_repeated(content: Any) -> None:
    with stranger((200, "application/json", {}, content)) as url, Client(url, TOKEN) as client:
        for ask in (client.debts, client.operations, lambda: client.instance("vm1")):
            with pytest.raises(Unavailable, match="does not understand") as told:
                ask()
            assert "a-secret-5d1f" not in told.value.message


@pytest.mark.parametrize("sample", SAMPLES)
def test_graph_is_drawn_from_its_json_as_from_the_store(sample: str) -> None:
    graph = SAMPLES[sample]()
    again = graph_of(as_json.document(graph))
    assert as_json.document(again) == as_json.document(graph)
    for renderer in (dot, mermaid, svg, text):
        assert renderer.render(again) == renderer.render(graph)


Answer = tuple[int, str, dict[str, str], Any]


@contextmanager
def stranger(answer: Answer) -> Iterator[str]:
    """The address of something that answers everything so."""
    status, media_type, headers, content = answer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = httpx.Response(status, json=content).content
            self.send_response(status)
            for name, value in {"Content-Type": media_type, **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
