"""What is owed on hosts, and what an audit finds there."""

from typing import Any

from vmwright.resources.resource import Moment, Resource


class OwedThing(Resource):
    """Something that must still become absent on a host, as operators see it."""

    id: str
    kind: str
    key: str
    host: str
    reason: str
    operation_id: str | None
    instance_id: str | None
    tries: int
    error: dict[str, Any] | None
    not_before: Moment | None
    created_at: Moment


class Remaining(Resource):
    """How many debts there still are: their hosts are away, or they are not due yet."""

    debts: int


class Finding(Resource):
    """Something that is not as it should be. `outcome` is ``removed``, ``owed`` or ``left`` after
    a repair, and null where nobody has repaired anything."""

    host: str | None
    kind: str
    key: str
    verdict: str
    instance_id: str | None
    why: str
    remedy: str
    outcome: str | None = None
