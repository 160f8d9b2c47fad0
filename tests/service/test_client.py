"""The client against a service that dies, is away, and loses answers on the way."""

import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.databases import PostgreSQL
from tests.support.lab import Lab, request
from tests.support.proxy import Door, proxied
from tests.support.serving import serving
from tests.support.through_service import answering
from vmwright.api.own_token import own_token
from vmwright.client.client import Client
from vmwright.controller import Controller
from vmwright.errors import Conflict, DeadlinePassed, NotFound, Unauthenticated, Unavailable
from vmwright.flows import newest
from vmwright.states import OperationState
from vmwright.waiting import Wait

TOKEN = "token-of-a-test-57c1"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def settings(port: int) -> str:
    return f"[api]\nport = {port}"


@pytest.fixture
def client(lab: Lab, port: int) -> Iterator[Client]:
    with Client(f"http://127.0.0.1:{port}", own_token(lab.settings.state_dir)) as client:
        yield client


def slow(lab: Lab, seconds: float) -> Lab:
    """A lab whose guests take so long to start."""
    return replace(lab, latency=f"ensure_running:{seconds:g}")


def test_what_is_asked_of_a_service_is_done_there(lab: Lab, client: Client, port: int) -> None:
    with answering(lab.settings, port):
        operation = client.create(request())
        assert client.wait(operation.id, timeout=60).state is OperationState.DONE
        instance = client.instance_of(operation)
        assert (instance.name, instance.vm_state, instance.host) == ("vm1", "active", "host1")
        assert client.instances() == [client.instance("vm1")] == [instance]
        assert client.graph(operation.id).nodes["spawn"]["state"] == "SUCCESS"
        assert "spawn" in client.graph(newest("create").name)
        (plan,) = client.plan(request(name="vm2", volumes=[]))
        assert (plan.host, "spawn" in plan.graph) == ("host1", True)
        with pytest.raises(NotFound):
            client.instance("vm2")
        gone = client.delete("vm1")
        assert client.wait(gone.id, timeout=60).state is OperationState.DONE
        assert client.instance_of(gone).deleted_at is not None
        assert [one.id for one in client.operations(limit=1)] == [gone.id]
        assert client.operations(before=gone.id) == [client.operation(operation.id)]
        assert client.audit() == []
        with Client(client.endpoint, TOKEN) as stranger, pytest.raises(Unauthenticated):
            stranger.instances()


def test_watch_goes_on_where_the_service_was_killed_and_started_again(
    lab: Lab, client: Client, settings: str
) -> None:
    with serving(slow(lab, 60), settings, answers=True) as service:
        operation = client.create(request())
        heard, events = [], client.watch(operation.id)
        for event in events:
            heard.append(event)
            if (event.task, event.state) == ("spawn", "RUNNING"):
                break
        service.stop(signal.SIGKILL)
        with ThreadPoolExecutor(1) as beside:
            rest = beside.submit(list, events)
            with serving(lab, settings, "again", answers=True):
                heard += rest.result()
    with Controller(lab.settings) as controller:
        stored = [event.seq for event in controller.watch(operation.id)]
    assert [event.seq for event in heard] == stored
    assert (heard[-1].kind, heard[-1].state) == ("operation", "done")


def test_service_that_stays_away_is_told_of(lab: Lab, port: int, settings: str) -> None:
    token = own_token(lab.settings.state_dir)
    with Client(f"http://127.0.0.1:{port}", token, patience=0.5) as client:
        with serving(slow(lab, 60), settings, answers=True) as service:
            events = client.watch(client.create(request()).id)
            next(events)
            service.stop(signal.SIGKILL)
        with pytest.raises(Unavailable, match="cannot be reached"):
            list(events)


def test_wait_ends_at_its_timeout_and_the_operation_goes_on(
    lab: Lab, client: Client, port: int
) -> None:
    with answering(lab.settings, port):
        operation = client.submit(request())
        with pytest.raises(DeadlinePassed, match=r"has not ended within 0\.3 seconds"):
            client.wait(operation.id, timeout=0.3)
        assert not client.operation(operation.id).ended


def test_closing_a_client_ends_what_waits_and_no_operation(
    lab: Lab, client: Client, port: int
) -> None:
    with answering(lab.settings, port), ThreadPoolExecutor(1) as beside:
        operation = client.submit(request())
        listens = threading.Event()

        def watched() -> None:
            for _ in client.watch(operation.id):
                listens.set()

        waiting = beside.submit(watched)
        listens.wait()
        client.close()
        with pytest.raises((Conflict, Unavailable)):
            waiting.result()
        with Client(client.endpoint, own_token(lab.settings.state_dir)) as other:
            assert not other.operation(operation.id).ended


def test_name_is_one_part_of_a_path_whatever_is_in_it(lab: Lab, client: Client, port: int) -> None:
    names = [".", "..", "a/b", "a%2Fb", "x/../y", "%2e%2e", "a\\b", "ä ö?#&=+"]
    with answering(lab.settings, port):
        for name in names:
            made = client.inventory.create_flavor(name, 1, 64, 1)
            assert client.inventory.flavor(name) == made
        for name in names:
            client.inventory.delete_flavor(name)
        assert [flavor.name for flavor in client.inventory.flavors()] == ["small"]


@pytest.mark.slow
@pytest.mark.postgresql
def test_nothing_is_missed_where_lines_break_again_and_again(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    place = Lab(tmp_path, url=postgresql.ready().connection, latency="*:0.2", parallel=8)
    lab, builds = place.prepared(), 8
    token = own_token(lab.settings.state_dir)
    with (
        answering(lab.settings) as url,
        proxied(int(url.rpartition(":")[2])) as proxy,
        Client(f"http://127.0.0.1:{proxy.port}", token) as client,
        ThreadPoolExecutor(builds) as beside,
    ):
        (reservation,) = client.create_all(request(max_count=builds, volumes=[]))
        known = [operation.id for operation in reservation.operations]
        watching = [beside.submit(list, client.watch(one)) for one in known]
        while not all(one.done() for one in watching):
            proxy.turn(Door.SHUT)
            proxy.turn(Door.OPEN)
            wait_for(watching, timeout=0.3)
        heard = {
            one: [event.seq for event in w.result()] for one, w in zip(known, watching, strict=True)
        }
    with Controller(lab.settings) as controller:
        for one in known:
            assert sorted(heard[one]) == [event.seq for event in controller.watch(one)]


def test_answer_that_is_lost_builds_nothing_twice(lab: Lab, port: int) -> None:
    token = own_token(lab.settings.state_dir)
    with (
        answering(lab.settings, port),
        proxied(port) as proxy,
        Client(f"http://127.0.0.1:{proxy.port}", token) as client,
        ThreadPoolExecutor(1) as beside,
    ):
        proxy.turn(Door.EATS_ANSWERS)
        asked = beside.submit(client.create, request())
        _until_there_is_one(lab)
        proxy.turn(Door.SHUT)
        proxy.turn(Door.OPEN)
        operation = asked.result()
        assert [one.id for one in client.operations()] == [operation.id]
        assert client.wait(operation.id, timeout=60).state is OperationState.DONE


def test_what_may_have_been_done_is_not_asked_for_again(lab: Lab, port: int) -> None:
    token = own_token(lab.settings.state_dir)
    with (
        answering(lab.settings, port),
        proxied(port) as proxy,
        Client(f"http://127.0.0.1:{proxy.port}", token) as client,
        ThreadPoolExecutor(1) as beside,
    ):
        client.wait(client.create(request()).id, timeout=60)
        proxy.turn(Door.EATS_ANSWERS)
        asked = beside.submit(client.delete, "vm1")
        _until_there_is_one(lab, kind="delete")
        proxy.turn(Door.SHUT)
        with pytest.raises(Unavailable, match="has hung up") as told:
            asked.result()
        assert "not known" in told.value.hint


def _until_there_is_one(lab: Lab, kind: str = "create") -> None:
    wait = Wait(60)
    while not lab.rows(f"SELECT id FROM vmwright_operations WHERE kind = '{kind}'"):
        wait.pause(0.02, "an operation is stored")


def test_image_is_sent_as_it_is_read(lab: Lab, client: Client, port: int, tmp_path: Path) -> None:
    file = tmp_path / "big.raw"
    with file.open("wb") as disk:
        disk.truncate(3 << 20)
    told: list[float] = []
    wait = Wait(60, report=lambda progress: told.append(progress.fraction))
    with answering(lab.settings, port):
        image = client.inventory.create_image("big", file, "raw", wait=wait)
        assert (image.name, image.virtual_size_bytes) == ("big", 3 << 20)
        assert client.inventory.image("big") == image
    assert told == sorted(told)
    assert told[-1] == 1.0
