"""How the rows of a run that goes on are written: only what has changed of them."""

import operator
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from oslo_utils import timeutils
from taskflow.persistence import models

from vmwright.persistence.prepared import Prepared
from vmwright.persistence.tables import Schema

Columns = tuple[str, ...]

AtomRows = Mapping[Columns, Sequence[Mapping[str, Any]]]
"""Rows of atoms by the columns of theirs that are written."""

# Two kinds only: a statement more costs more than a value.
_RESULT: Columns = ("state", "intention", "results")
_WHOLE: Columns = (*_RESULT, "failure", "revert_results", "revert_failure", "meta", "version")


class WrittenAtoms:
    """What the store has of the atoms of one run: so that the rest of a row is left alone."""

    def __init__(self, detail: models.FlowDetail) -> None:
        self._written = {atom.name: _content_of(atom) for atom in detail}

    def changes(
        self, atoms: Iterable[models.AtomDetail], remarks: Mapping[str, Mapping[str, Any]]
    ) -> AtomRows:
        """What must be written of these. `remarks` are added to the metadata of those they name."""
        rows: dict[Columns, list[Mapping[str, Any]]] = {}
        stamp = timeutils.utcnow()
        for atom in atoms:
            columns = self._columns(atom, is_remarked=atom.name in remarks)
            row = _row(atom, columns, remarks.get(atom.name, {}))
            row |= {"key": atom.uuid, "updated_at": stamp}
            rows.setdefault(columns, []).append(row)
        return rows

    def are_written(self, atoms: Iterable[models.AtomDetail]) -> None:
        for atom in atoms:
            self._written[atom.name] = _content_of(atom)

    def _columns(self, atom: models.AtomDetail, *, is_remarked: bool) -> Columns:
        changed = map(operator.is_not, _content_of(atom), self._written[atom.name])
        return _WHOLE if is_remarked or any(changed) else _RESULT


class RunRows:
    """TaskFlow's rows of runs that were claimed."""

    def __init__(self, schema: Schema) -> None:
        self._atoms = schema.logbook.atomdetails
        self._flows = schema.logbook.flowdetails

    def write_flows(self, connection: sa.Connection, flows: Iterable[models.FlowDetail]) -> None:
        """Where each run as a whole stands."""
        stamp = timeutils.utcnow()
        rows = [{"key": flow.uuid, "state": flow.state, "updated_at": stamp} for flow in flows]
        if rows:
            self._flow_update.many(connection, rows)

    def write_atoms(self, connection: sa.Connection, atoms: AtomRows) -> None:
        for columns, rows in atoms.items():
            self._atom_updates[columns].many(connection, rows)

    @cached_property
    def _flow_update(self) -> Prepared:
        return _update(self._flows, ("state",))

    @cached_property
    def _atom_updates(self) -> dict[Columns, Prepared]:
        return {columns: _update(self._atoms, columns) for columns in (_RESULT, _WHOLE)}


def together(several: Iterable[AtomRows]) -> AtomRows:
    """What several runs write of their atoms, in as few statements as there are kinds of it."""
    rows: dict[Columns, list[Mapping[str, Any]]] = {}
    for one in several:
        for columns, some in one.items():
            rows.setdefault(columns, []).extend(some)
    return rows


def _update(table: sa.Table, columns: Columns) -> Prepared:
    values: dict[str, Any] = {name: sa.bindparam(name) for name in (*columns, "updated_at")}
    return Prepared(sa.update(table).where(table.c.uuid == sa.bindparam("key")).values(values))


def _content_of(atom: models.AtomDetail) -> tuple[Any, ...]:
    """What of it changes seldom."""
    return atom.failure, atom.revert_results, atom.revert_failure, atom.meta


def _row(atom: models.AtomDetail, columns: Columns, remarks: Mapping[str, Any]) -> dict[str, Any]:
    if columns == _RESULT and isinstance(atom, models.TaskDetail):
        return {"state": atom.state, "intention": atom.intention, "results": atom.results}
    whole = atom.to_dict()
    whole["meta"] = {**whole["meta"], **remarks}
    return {name: whole[name] for name in columns}
