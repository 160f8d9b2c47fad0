"""Images that are sent to a service: streamed, and gone with whoever sends them."""

import http.client
import os
import resource
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.support.answering import Answering, answering, told
from tests.support.lab import Lab

RAW = os.urandom(3 * 2**20)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answering]:
    lab = Lab(tmp_path_factory.mktemp("api"))
    with answering(lab, "[DEFAULT]\nmax_image_gib = 1\n") as running:
        yield running


@pytest.fixture
def client(service: Answering) -> Iterator[httpx.Client]:
    with service.asked_by(service.token) as client:
        yield client


def files(service: Answering) -> set[Path]:
    """What lies under the state directory, apart from the store."""
    names = {path for path in service.lab.home.rglob("*") if path.is_file()}
    return {path for path in names if path.parent.name != "lab" and "store" not in path.name}


def test_an_image_is_taken_in_as_it_was_sent(service: Answering, client: httpx.Client) -> None:
    query = {"name": "sent", "disk_format": "raw", "min_ram_mib": 64, "property": "os=linux"}
    made = client.post("/v1/images", params=query, content=iter([RAW]))
    assert made.status_code == 201, made.text
    image = made.json()
    assert (image["size_bytes"], image["properties"]) == (len(RAW), {"os": "linux"})
    assert client.get("/v1/images/sent").json() == image
    (kept,) = (path for path in files(service) if image["sha256"] in path.name)
    assert kept.read_bytes() == RAW


def test_how_far_it_is_taken_in_is_told(client: httpx.Client) -> None:
    query, wanted = {"name": "watched", "disk_format": "raw"}, {"Accept": "text/event-stream"}
    body = iter([RAW] * 8)
    with client.stream("POST", "/v1/images", params=query, content=body, headers=wanted) as stream:
        heard = list(told(stream.iter_lines()))
    assert [kind for kind, _ in heard[:-1]] == ["progress"] * (len(heard) - 1)
    kind, image = heard[-1]
    assert (kind, image["size_bytes"]) == ("image", 8 * len(RAW))
    wrong = {"name": "wrong", "disk_format": "qcow2"}
    with client.stream("POST", "/v1/images", params=wrong, content=RAW, headers=wanted) as stream:
        kind, problem = list(told(stream.iter_lines()))[-1]
    assert (kind, problem["code"]) == ("problem", "InvalidRequest")
    assert client.get("/v1/images/wrong").status_code == 404


def test_what_cannot_be_taken_is_refused_before_it_is_sent(
    service: Answering, client: httpx.Client
) -> None:
    client.post("/v1/images?name=taken&disk_format=raw", content=RAW)
    assert client.post("/v1/images?name=taken", content=RAW).status_code == 409
    assert client.post("/v1/images?name=x&disk_format=vmdk", content=RAW).status_code == 400
    assert client.post("/v1/images?name=x&property=odd", content=RAW).status_code == 400
    assert client.post("/v1/images?name=", content=RAW).status_code == 400
    assert client.post("/v1/images?name=x", content=b"").status_code == 400
    # As many bytes as are announced here are never sent.
    with closing(announced(service, 2**31)) as line:
        answer = line.getresponse()
        assert (answer.status, b"max_image_gib" in answer.read()) == (400, True)


def announced(service: Answering, length: int) -> http.client.HTTPConnection:
    """A connection on which an image of so many bytes is to be sent."""
    line = http.client.HTTPConnection(service.url.removeprefix("http://"))
    line.putrequest("POST", "/v1/images?name=x&disk_format=raw")
    line.putheader("Authorization", f"Bearer {service.token}")
    line.putheader("Content-Length", str(length))
    line.endheaders()
    return line


def test_a_service_that_is_stopped_waits_for_nobody(tmp_path: Path) -> None:
    """Neither for the rest of an image, nor for who listens or waits."""
    with (
        answering(Lab(tmp_path)) as running,
        running.asked_by(running.token) as client,
        client.stream("GET", "/v1/events") as stream,
        closing(announced(running, len(RAW))) as line,
    ):
        line.send(RAW[: 2**20])
        assert running.service.stop() == 0
        assert line.getresponse().status == 503
        assert [text for text in stream.iter_lines() if text] == [": hello"]
        assert "Traceback" not in running.service.log.read_text()


def test_of_who_leaves_half_way_nothing_stays(service: Answering, client: httpx.Client) -> None:
    before = files(service)

    def leaving() -> Iterator[bytes]:
        yield RAW
        assert files(service) == before, "a file without a name"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        client.post("/v1/images?name=left&disk_format=raw", content=leaving())
    assert client.get("/v1/images/left").status_code == 404
    assert files(service) == before
    assert "Traceback" not in service.service.log.read_text()


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """No file of this process may be longer than half of the image: for it the disk is full."""
    lab = Lab(tmp_path)
    with answering(lab) as running, running.asked_by(running.token) as client:
        limit = 2**20 + 2**19
        resource.prlimit(running.service.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        refused = client.post("/v1/images?name=big&disk_format=raw", content=RAW)
        assert refused.status_code == 503, refused.text
        assert "full" in refused.json()["detail"]
        assert client.get("/healthz").status_code == 200
        assert not list((lab.home / "uploads").iterdir())
