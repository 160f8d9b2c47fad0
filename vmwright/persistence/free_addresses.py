"""Which address of a network is given to whoever has no wish."""

import secrets
import threading
from functools import cached_property

import sqlalchemy as sa

from vmwright.ids import NetworkId
from vmwright.networks import Addresses
from vmwright.persistence.prepared import Prepared

_POLITE_TRIES = 8
"""After so many the lowest free address is fought over: then one somewhat higher is taken."""

_WIDEST = 12
"""At most 2 to this power addresses are left out then."""


class FreeAddresses:
    """Chooses the lowest address that this process knows to be free. Thread-safe.

    It remembers how far it has looked: a network of which 65 000 addresses are given out is not
    read from its start for each interface, and threads choose different ones. What it remembers
    decides nothing. The constraint on the rows does; and what others gave back below that mark
    is found once nothing is free above it.
    """

    def __init__(self, ports: sa.Table) -> None:
        self._ports = ports
        self._lock = threading.Lock()
        self._marks: dict[tuple[NetworkId, range], int] = {}

    def choose(
        self, connection: sa.Connection, network: NetworkId, addresses: Addresses, tries: int
    ) -> int | None:
        """The offset of a free one, or None. `tries` is how many chosen ones were taken since."""
        choice = addresses.choice
        mark = self._marks.get((network, choice), choice.start)
        if tries >= _POLITE_TRIES:
            mark += secrets.randbelow(2 ** min(tries - _POLITE_TRIES + 1, _WIDEST))
        found = self._lowest(connection, network, addresses, mark)
        if found is None and mark > choice.start and self._has_room(connection, network, addresses):
            found = self._lowest(connection, network, addresses, choice.start)
        with self._lock:
            self._marks[network, choice] = choice.stop if found is None else found + 1
        return found

    def given_back(self, network: NetworkId, offset: int) -> None:
        """This one is free again, or will be once a transaction has ended."""
        with self._lock:
            for known, choice in list(self._marks):
                if known == network and offset in choice:
                    mark = self._marks[known, choice]
                    self._marks[known, choice] = min(mark, offset)

    def _lowest(
        self, connection: sa.Connection, network: NetworkId, addresses: Addresses, mark: int
    ) -> int | None:
        """The first one from the mark on, or the one after an address that is held. The gateway
        is nobody's, and has no row."""
        choice, gateway = addresses.choice, addresses.offset_of(addresses.gateway)
        for first in (mark, gateway + 1):
            if first < mark or first == gateway or first not in choice:
                continue
            asked = {"network": network, "first": first}
            free = int(self._gap.select(connection, asked)[0][0])
            if free in choice and free != gateway:
                return free
        return None

    def _has_room(
        self, connection: sa.Connection, network: NetworkId, addresses: Addresses
    ) -> bool:
        """Whether it pays to look from the start: counting is much cheaper than looking."""
        choice, gateway = addresses.choice, addresses.offset_of(addresses.gateway)
        asked = {"network": network, "first": choice.start, "last": choice.stop - 1}
        held = self._count.select(connection, asked | {"gateway": gateway})[0][0]
        return int(held) < len(choice) - (gateway in choice)

    @cached_property
    def _gap(self) -> Prepared:
        held, after, there = (self._ports.alias(name) for name in ("held", "after", "there"))
        network: sa.BindParameter[str] = sa.bindparam("network")
        first = sa.bindparam("first", type_=sa.BigInteger())
        gap = (
            sa.select(held.c.ip_offset + 1)
            .where(
                held.c.network_id == network,
                held.c.ip_offset >= first,
                ~sa.exists().where(
                    after.c.network_id == network, after.c.ip_offset == held.c.ip_offset + 1
                ),
            )
            .order_by(held.c.ip_offset)
            .limit(1)
            .scalar_subquery()
        )
        is_held = sa.exists().where(there.c.network_id == network, there.c.ip_offset == first)
        return Prepared(sa.select(sa.case((is_held, gap), else_=first)))

    @cached_property
    def _count(self) -> Prepared:
        column = self._ports.c
        return Prepared(
            sa.select(sa.func.count()).where(
                column.network_id == sa.bindparam("network"),
                column.ip_offset.between(sa.bindparam("first"), sa.bindparam("last")),
                column.ip_offset != sa.bindparam("gateway"),
            )
        )
