"""Whatever is accepted as a request is built, or there is no host for it."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from tests.support.any_request import accepted, fast, requests, stocked_for_any
from vmwright.controller import Controller
from vmwright.request import CreateRequest
from vmwright.settings import Settings


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    command = stocked_for_any(tmp_path_factory.mktemp("any"))
    with Controller(Settings.from_files(str(command.file))) as opened:
        yield opened


@settings(fast, max_examples=25)
@given(requests())
def test_any_request_that_is_accepted_is_built_where_a_host_can_take_it(
    controller: Controller, fields: dict[str, Any]
) -> None:
    request = accepted(lambda: CreateRequest.parse(**fields))
    places = [plan.host for plan in accepted(lambda: controller.plan(request))]
    (reservation,) = accepted(lambda: controller.create_all(request))
    for operation, place in zip(reservation.operations, places, strict=True):
        ended = controller.wait(operation.id, timeout=60)
        assert ended.state == ("done" if place else "undone"), ended.error
        controller.wait(controller.delete(operation.instance_id).id, timeout=60)
