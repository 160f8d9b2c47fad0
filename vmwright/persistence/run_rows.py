"""How the rows of a run that goes on are written: only what has changed of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from oslo_utils import timeutils
from taskflow.persistence import models

from vmwright.persistence.tables import Schema

_STATE = ("state", "intention")
_RESULT = (*_STATE, "results")
_WHOLE = (*_RESULT, "failure", "revert_results", "revert_failure", "meta", "version")


@dataclass(frozen=True)
class _Written:
    """What the store has of an atom, but for its state."""

    results: Any
    rest: tuple[Any, ...]

    @classmethod
    def of(cls, atom: models.AtomDetail) -> "_Written":
        return cls(atom.results, _rest_of(atom))


class WrittenAtoms:
    """What the store has of the atoms of one run: so that the rest of a row is left alone."""

    def __init__(self, detail: models.FlowDetail) -> None:
        self._written = {atom.name: _Written.of(atom) for atom in detail}

    def columns(self, atom: models.AtomDetail, *, is_remarked: bool) -> tuple[str, ...]:
        """The columns of its row that are not what they are in memory."""
        written = self._written[atom.name]
        same = all(
            ours is theirs for ours, theirs in zip(_rest_of(atom), written.rest, strict=True)
        )
        if is_remarked or not same:
            return _WHOLE
        # The history of a retry is the same list, and grows.
        if atom.results is not written.results or isinstance(atom, models.RetryDetail):
            return _RESULT
        return _STATE

    def are_written(self, atoms: Iterable[models.AtomDetail]) -> None:
        for atom in atoms:
            self._written[atom.name] = _Written.of(atom)


class RunRows:
    """TaskFlow's rows of runs that were claimed."""

    def __init__(self, schema: Schema) -> None:
        self._atoms = schema.logbook.atomdetails
        self._flows = schema.logbook.flowdetails

    def write_flow(self, connection: sa.Connection, flow: models.FlowDetail) -> None:
        """Where the run as a whole stands."""
        values = {"key": flow.uuid, "state": flow.state, "updated_at": timeutils.utcnow()}
        connection.execute(self._flow_update, values)

    def write_atoms(
        self,
        connection: sa.Connection,
        atoms: Iterable[models.AtomDetail],
        remarks: Mapping[str, Mapping[str, Any]],
        written: WrittenAtoms,
    ) -> None:
        """What has changed of these. `remarks` are added to the metadata of the atoms they name."""
        rows: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        stamp = timeutils.utcnow()
        for atom in atoms:
            columns = written.columns(atom, is_remarked=atom.name in remarks)
            row = _row(atom, columns, remarks.get(atom.name, {}))
            rows[columns].append(row | {"key": atom.uuid, "updated_at": stamp})
        for columns, changed in rows.items():
            connection.execute(self._atom_updates[columns], changed)

    @cached_property
    def _flow_update(self) -> sa.Update:
        return _update(self._flows, ("state",))

    @cached_property
    def _atom_updates(self) -> dict[tuple[str, ...], sa.Update]:
        return {columns: _update(self._atoms, columns) for columns in (_STATE, _RESULT, _WHOLE)}


def _update(table: sa.Table, columns: tuple[str, ...]) -> sa.Update:
    values = {name: sa.bindparam(name) for name in (*columns, "updated_at")}
    return sa.update(table).where(table.c.uuid == sa.bindparam("key")).values(values)


def _rest_of(atom: models.AtomDetail) -> tuple[Any, ...]:
    return atom.failure, atom.revert_results, atom.revert_failure, atom.meta


def _row(
    atom: models.AtomDetail, columns: tuple[str, ...], remarks: Mapping[str, Any]
) -> dict[str, Any]:
    if columns == _STATE:
        return {"state": atom.state, "intention": atom.intention}
    whole = atom.to_dict()
    whole["meta"] = {**whole["meta"], **remarks}
    return {name: whole[name] for name in columns}
