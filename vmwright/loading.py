"""What a run needs of the store besides its operation: of one, or of a page of them at once."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from taskflow.persistence import models

from vmwright.errors import VmwrightError
from vmwright.ids import OperationId
from vmwright.persistence.attempts import refuse_unreadable_faults
from vmwright.persistence.instances import refuse_unknown_states
from vmwright.persistence.logbook import load_flow, load_flows
from vmwright.persistence.records import Attempt, Instance, Operation
from vmwright.persistence.stores import Stores
from vmwright.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What was read for a run."""

    spec: Spec
    detail: models.FlowDetail


def load(stores: Stores, operation: Operation) -> Loaded:
    """`NotFound`, `Damaged` or `UnknownFlow` if it cannot be run from what is there."""
    with stores.database.read() as connection:
        instance = stores.instances.get(connection, operation.instance_id)
        detail = load_flow(connection, stores, operation.flow_detail_id)
        attempts = stores.attempts.of_operation(connection, operation.id)
    return _loaded(instance, detail, attempts)


def load_several(stores: Stores, operations: Collection[Operation]) -> Mapping[OperationId, Loaded]:
    """As `load`, of those that can be run: why another one cannot be is for `load` to say."""
    try:
        with stores.database.read() as connection:
            wanted = [one.instance_id for one in operations]
            instances = stores.instances.several(connection, wanted)
            details = load_flows(connection, stores, [one.flow_detail_id for one in operations])
            attempts = stores.attempts.of_several(connection, [one.id for one in operations])
    except (ValueError, LookupError):  # what the columns' types say of foreign content
        return {}
    loaded = {}
    for one in operations:
        instance, detail = instances.get(one.instance_id), details.get(one.flow_detail_id)
        if instance is not None and detail is not None:
            with suppress(VmwrightError):
                loaded[one.id] = _loaded(instance, detail, attempts.get(one.id, []))
    return loaded


def _loaded(instance: Instance, detail: models.FlowDetail, attempts: Collection[Attempt]) -> Loaded:
    refuse_unknown_states(instance)
    refuse_unreadable_faults(attempts)
    return Loaded(spec=Spec.from_store(instance.request), detail=detail)
