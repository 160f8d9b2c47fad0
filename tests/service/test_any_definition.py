"""Whatever is accepted as a request becomes a guest that libvirt's schema allows."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from tests.support.any_request import fast, requests
from tests.support.libvirt_schema import faults_of, missing
from tests.support.planned_guests import definitions_of, planning_for_libvirt
from vmwright.controller import Controller


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    pytest.importorskip("libvirt", reason="needs libvirt's Python binding")
    if reason := missing():
        pytest.skip(reason)
    with planning_for_libvirt(tmp_path_factory.mktemp("any")) as opened:
        yield opened


@settings(fast, max_examples=100)
@given(requests())
def test_any_request_that_is_accepted_is_a_guest_that_libvirt_allows(
    controller: Controller, fields: dict[str, Any]
) -> None:
    for definition in definitions_of(controller, fields):
        assert faults_of(definition) == []


def test_schema_does_not_allow_everything(controller: Controller) -> None:
    fields = {"name": "web", "image": "disk", "flavor": "small"}
    (definition,) = definitions_of(controller, fields)
    assert faults_of(definition.replace("<vcpu>1<", "<vcpu>one<"))
