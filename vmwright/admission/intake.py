"""Requests for instances, taken in by one transaction."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from vmwright.admission.caller import Caller
from vmwright.admission.catalogue import Catalogue
from vmwright.admission.gate import Gate
from vmwright.admission.guest_data import new_password
from vmwright.admission.placement import refuse_full_group
from vmwright.admission.quota import Amounts, Room
from vmwright.admission.resolve import spec_of
from vmwright.admission.rows import Batch, Build, Rows, new_operation, new_reservation
from vmwright.admission.rules import rules_of, rules_of_spec
from vmwright.admission.several import Wish, individual, names_of
from vmwright.errors import Conflict
from vmwright.ids import InstanceId, new_id
from vmwright.persistence.records import Operation
from vmwright.persistence.security_groups import DEFAULT
from vmwright.request import CreateRequest
from vmwright.settings import Settings
from vmwright.spec import Spec
from vmwright.tasks.task import Means

Specs = Sequence[tuple[InstanceId, Spec]]


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """The answer to a request: its instances share the id, and are built side by side."""

    id: str
    operations: Sequence[Operation]
    """One for each instance, in the order of their names."""
    passwords: dict[InstanceId, str] = field(default_factory=dict, repr=False)
    """Told now and never again."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The answers to requests, and what was stored for them now."""

    reservations: Sequence[Reservation]
    builds: Sequence[Build]
    """None of a request that was answered before."""

    def parts(self, counts: Sequence[int]) -> "Sequence[Answers]":
        """The same, dealt out to those who asked for so many of the requests each, in order. A
        build that several of them have asked for, under one key, is the first one's."""
        if len(counts) == 1:
            return [self]
        built = {build.operation.id: build for build in self.builds}
        left, parts = iter(self.reservations), []
        for count in counts:
            mine = list(itertools.islice(left, count))
            ids = [operation.id for reservation in mine for operation in reservation.operations]
            builds = [built.pop(one) for one in ids if one in built]
            parts.append(Answers(reservations=mine, builds=builds))
        return parts


class Intake:
    """What one caller asks for, in one transaction. Not thread-safe."""

    def __init__(
        self,
        means: Means,
        gate: Gate,
        rows: Rows,
        settings: Settings,
        connection: sa.Connection,
        caller: Caller,
    ) -> None:
        self._means = means
        self._stores = means.stores
        self._gate = gate
        self._rows = rows
        self._connection = connection
        self._caller = caller
        self._catalogue = Catalogue(means.stores, connection, caller, settings)
        self._batch = Batch()
        self._builds: list[Build] = []
        self._answers: dict[str, tuple[str | None, Reservation]] = {}

    def refuse(self, requests: Sequence[CreateRequest]) -> bool:
        """Raise what `accept` would raise, but for quotas; store nothing.

        Returns whether something would be built: False if all was answered before.
        """
        wishes = [Wish.of(request) for request in requests]
        for wish in wishes:
            self._gate.require(self._caller, rules_of(wish.request))
        self._look_up([wish for wish in wishes if not wish.is_ours])
        new = [wish for wish in wishes if self._answered(wish) is None]
        for wish in new:
            self._specs(wish.request)
        return bool(new)

    def accept(self, wishes: Sequence[Wish], *, again: bool) -> Answers:
        """Store the builds of all requests, or none. `again` if the same wishes may have been
        stored by a try before."""
        room = Room(self._catalogue, decides=True)
        for wish in wishes:
            self._gate.require(self._caller, rules_of(wish.request))
        self._look_up([wish for wish in wishes if again or not wish.is_ours])
        reservations = [self._answered(wish) or self._accept(wish, room) for wish in wishes]
        self._store()
        return Answers(reservations=reservations, builds=self._builds)

    def acceptable(self, request: CreateRequest) -> Specs:
        """What `accept` would build; raises what it would raise. Stores nothing, and holds
        nothing. Ids are made up, and others when it is really built."""
        self._gate.require(self._caller, rules_of(request))
        return self._granted(request, self._specs(request), Room(self._catalogue, decides=False))

    def _accept(self, wish: Wish, room: Room) -> Reservation:
        request, hints = wish.request, wish.request.scheduler_hints
        if hints.group or hints.same_host or hints.different_host:
            # It may mean instances of the requests before it.
            self._store()
        if DEFAULT in request.security_groups:
            self._catalogue.make_default_group()
        reservation = self._add(wish, self._granted(request, self._specs(request), room))
        self._answers[wish.key] = (self._digest(wish), reservation)
        return reservation

    def _specs(self, request: CreateRequest) -> Specs:
        """What each instance is to be, as if quotas allowed them all. Changes nothing."""
        names = names_of(request)
        shared = spec_of(self._catalogue, request)
        # The build would look for them, and be taken back for want of them.
        self._rows.atoms("create", shared.hooks)
        self._means.placement.load()
        self._gate.require(self._caller, rules_of_spec(shared))
        return list(_individuals(request, shared, names))

    def _granted(self, request: CreateRequest, specs: Specs, room: Room) -> Specs:
        """As many of them as quotas allow, and not fewer than the request wants."""
        _, first = specs[0]
        amounts = Amounts.of(first)
        count = room.granted(amounts, least=request.min_count, most=request.count)
        if room.decides and first.placement.group is not None:
            self._stores.server_groups.hold(self._connection, first.placement.group)
        refuse_full_group(self._catalogue, first.placement, count)
        return specs[:count]

    def _look_up(self, wishes: Sequence[Wish]) -> None:
        """Read what was answered under the keys of these before."""
        if not wishes:
            return
        stores, project = self._stores, self._caller.project
        keys = [wish.key for wish in wishes]
        for key, known in stores.operations.with_keys(self._connection, project, keys).items():
            builds = stores.operations.of_reservation(self._connection, known.reservation_id)
            passwords = stores.secrets.passwords(
                self._connection, [operation.instance_id for operation in builds]
            )
            reservation = Reservation(
                id=known.reservation_id, operations=builds, passwords=passwords
            )
            self._answers[key] = (known.request_digest, reservation)

    def _answered(self, wish: Wish) -> Reservation | None:
        """The answer that the request's idempotency key has got before."""
        if wish.key not in self._answers:
            return None
        digest, reservation = self._answers[wish.key]
        if digest != self._digest(wish):
            raise Conflict(
                f"idempotency key {wish.key!r} was used with another request",
                hint="use a new key for a new request",
            )
        return reservation

    def _digest(self, wish: Wish) -> str | None:
        """Made with the key file: a plain digest of a body with a password could be guessed."""
        if wish.is_ours:
            return None
        # Without defaults, so that a later version with further fields knows it again.
        body = wish.request.model_dump_json(exclude_defaults=True)
        return self._stores.secrets.digest(body.encode())

    def _add(self, wish: Wish, specs: Specs) -> Reservation:
        reservation, passwords = new_reservation(), {}
        operations: list[Operation] = []
        key: dict[str, Any] = {
            "idempotency_key": wish.key,
            "request_digest": self._digest(wish),
        }
        caller, request = self._caller, wish.request
        for instance, spec in specs:
            operation = new_operation(
                "create",
                instance,
                caller.project,
                caller.user,
                reservation=reservation,
                **({} if operations else key),
            )
            if spec.config_drive:
                passwords[instance] = request.admin_password or new_password()
            password = passwords.get(instance)
            build = self._rows.add_build(self._batch, operation, spec, request, password)
            self._builds.append(build)
            operations.append(operation)
        return Reservation(id=reservation, operations=operations, passwords=passwords)

    def _store(self) -> None:
        batch, self._batch = self._batch, Batch()
        self._rows.store(self._connection, batch)


def _individuals(
    request: CreateRequest, shared: Spec, names: Sequence[str]
) -> Iterator[tuple[InstanceId, Spec]]:
    for number, name in enumerate(names):
        instance = InstanceId(new_id())
        yield instance, individual(shared, instance, name, number, request)
