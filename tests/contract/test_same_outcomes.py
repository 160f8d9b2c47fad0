"""The same calls come to the same outcomes, whatever they are sent to."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.support.calls import BRIDGE, Call, Universe, call_sequences, outcomes
from tests.support.model import Model
from tests.support.places import Place, SimulatedPlace

bounded = settings(
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(calls=call_sequences(longest=30))
@settings(bounded, max_examples=150)
def test_simulated_host_does_what_the_model_promises(
    simulated_place: SimulatedPlace, tmp_path: Path, calls: list[Call]
) -> None:
    universe = Universe(simulated_place.backend.deployment, tmp_path)
    simulated_place.clean()
    promised = outcomes(calls, universe, Model(universe.deployment).host)
    assert outcomes(calls, universe, simulated_place.host) == promised


@pytest.mark.libvirt
@given(calls=call_sequences(longest=8))
@settings(bounded, max_examples=12)
def test_libvirt_host_does_what_the_simulated_one_does(
    libvirt_place: Place, tmp_path: Path, calls: list[Call]
) -> None:
    universe = Universe(libvirt_place.backend.deployment, tmp_path)
    simulated_place = SimulatedPlace.at(tmp_path / "world", universe.deployment)
    simulated_place.clean()
    libvirt_place.clean()
    libvirt_place.put_bridge(BRIDGE)
    promised = outcomes(calls, universe, simulated_place.host)
    assert outcomes(calls, universe, libvirt_place.host) == promised
