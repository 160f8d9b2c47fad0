"""Whatever is accepted as a request is defined by a real libvirt, which validates it."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from tests.support.any_request import fast, requests
from tests.support.planned_guests import definitions_of, planning_for_libvirt
from tests.support.private_host import PrivateHost
from vmwright.controller import Controller

pytestmark = pytest.mark.libvirt


@pytest.fixture(scope="module")
def controller(
    libvirt_host: PrivateHost, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Controller]:
    del libvirt_host  # without one there is nothing to plan for
    with planning_for_libvirt(tmp_path_factory.mktemp("any")) as opened:
        yield opened


@pytest.fixture(scope="module")
def connection(libvirt_host: PrivateHost) -> Iterator[Any]:
    import libvirt

    opened = libvirt.open(libvirt_host.uri)
    yield opened
    opened.close()


@settings(fast, max_examples=60)
@given(requests())
def test_any_request_that_is_accepted_is_defined(
    controller: Controller, connection: Any, fields: dict[str, Any]
) -> None:
    import libvirt

    for definition in definitions_of(controller, fields):
        validate = libvirt.VIR_DOMAIN_DEFINE_VALIDATE
        connection.defineXMLFlags(definition, validate).undefine()
