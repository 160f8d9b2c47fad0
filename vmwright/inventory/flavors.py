"""Flavors: the sizes that instances come in."""

from collections.abc import Iterable
from typing import Any

from vmwright.ids import FlavorId, new_id
from vmwright.inventory.register import Register, added, merged
from vmwright.inventory.wishes import FlavorChange, NewFlavor
from vmwright.persistence.records import Flavor
from vmwright.persistence.retrying import again_if_given_up


class Flavors:
    """The flavors of a deployment."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._rows = register.stores.registries.flavors

    @again_if_given_up
    def create(self, wish: NewFlavor) -> Flavor:
        self._register.rights.operate()
        flavor = Flavor(id=FlavorId(new_id()), **wish.model_dump())
        with self._register.turn() as connection:
            return added(connection, self._rows, flavor)

    @again_if_given_up
    def change(self, name_or_id: str, wish: FlavorChange, without: Iterable[str]) -> Flavor:
        self._register.rights.operate()
        with self._register.turn() as connection:
            flavor = self._rows.find(connection, name_or_id)
            changed: dict[str, Any] = {
                "extra_specs": merged(flavor.extra_specs, wish.extra_specs, without)
            }
            if wish.enabled is not None:
                changed["enabled"] = wish.enabled
            self._rows.change(connection, flavor.id, **changed)
            return self._rows.find(connection, flavor.id)

    @again_if_given_up
    def delete(self, name_or_id: str) -> Flavor:
        self._register.rights.operate()
        with self._register.turn() as connection:
            flavor = self._rows.find(connection, name_or_id)
            self._rows.remove(connection, flavor.id)
        return flavor
