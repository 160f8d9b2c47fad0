"""Whatever is accepted as a request lies whole in JSON, and as a spec in the store."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given

from tests.support.any_request import accepted, fast, requests, stocked_for_any
from vmwright.admission import Caller
from vmwright.admission.catalogue import Catalogue
from vmwright.admission.resolve import spec_of
from vmwright.admission.several import individual, names_of
from vmwright.controller import Controller
from vmwright.ids import InstanceId, new_id
from vmwright.request import CreateRequest
from vmwright.settings import Settings
from vmwright.spec import Spec


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    command = stocked_for_any(tmp_path_factory.mktemp("any"))
    with Controller(Settings.from_files(str(command.file))) as opened:
        yield opened


@fast
@given(requests())
def test_any_request_that_is_accepted_survives_json(fields: dict[str, Any]) -> None:
    request = accepted(lambda: CreateRequest.parse(**fields))
    assert CreateRequest.model_validate_json(request.model_dump_json()) == request
    short = request.model_dump_json(exclude_defaults=True)
    assert CreateRequest.model_validate_json(short) == request


@fast
@given(requests())
def test_any_request_that_is_accepted_is_a_spec_that_survives_the_store(
    controller: Controller, fields: dict[str, Any]
) -> None:
    stores = controller._stores
    request = accepted(lambda: CreateRequest.parse(**fields))
    with stores.database.read() as connection:
        catalogue = Catalogue(stores, connection, Caller(), controller.settings)
        shared = accepted(lambda: spec_of(catalogue, request))
    for number, name in enumerate(names_of(request)):
        spec = individual(shared, InstanceId(new_id()), name, number, request)
        assert Spec.from_store(spec.to_store()) == spec
        assert 1 <= len(spec.hostname) <= 63
        assert all(volume.name for volume in spec.volumes)
