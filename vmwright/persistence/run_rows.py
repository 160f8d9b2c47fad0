"""How the rows of a run that goes on are written: only what has changed of them.

Columns get what the database keeps: nothing is converted, or stamped, once for each row.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
import sqlalchemy.ext.compiler
from oslo_serialization import jsonutils
from taskflow.persistence import models

from vmwright.persistence.prepared import Prepared
from vmwright.persistence.records import Event
from vmwright.persistence.tables import Schema

# Two kinds only: a statement more costs more than a value.
_RESULT = ("state", "intention", "results")
_WHOLE = (*_RESULT, "failure", "revert_results", "revert_failure", "meta", "version")

_others_of = attrgetter("failure", "revert_results", "revert_failure")
_NONE = (None, None, None)

_text_of = json.JSONEncoder(default=jsonutils.to_primitive).encode
"""As TaskFlow makes it, with an encoder that is made once."""


class Rows:
    """What runs have to say in one transaction."""

    def __init__(self) -> None:
        self.flows: list[Mapping[str, Any]] = []
        self.results: list[Mapping[str, Any]] = []
        """Of atoms of which nothing else has changed."""
        self.wholes: list[Mapping[str, Any]] = []
        self.events: list[Event] = []


class WrittenAtoms:
    """What the store has of the atoms of one run: so that the rest of a row is left alone."""

    def __init__(self, atoms: Mapping[str, models.AtomDetail], uuids: Mapping[str, str]) -> None:
        self._keys = uuids
        self._more = {
            name for name, atom in atoms.items() if atom.meta or _others_of(atom) != _NONE
        }

    def add(
        self,
        rows: Rows,
        atoms: Mapping[str, models.AtomDetail],
        remarks: Mapping[str, Mapping[str, Any]],
    ) -> Sequence[str]:
        """Have these written; returns of which more than the result is. `remarks` are added to the
        metadata of those they name."""
        wholes = []
        for name, atom in atoms.items():
            if name in remarks or name in self._more or atom.meta or _others_of(atom) != _NONE:
                rows.wholes.append(_whole(atom, remarks.get(name, {})))
                wholes.append(name)
                continue
            results = atom.results if type(atom) is models.TaskDetail else _encoded(atom)
            rows.results.append(
                {
                    "key": self._keys[name],
                    "state": atom.state,
                    "intention": atom.intention,
                    "results": None if results is None else _text_of(results),
                }
            )
        return wholes

    def are_written(self, names: Iterable[str], atoms: Mapping[str, models.AtomDetail]) -> None:
        """What `add` returned of these is in the store now."""
        for name in names:
            if atoms[name].meta or _others_of(atoms[name]) != _NONE:
                self._more.add(name)
            else:
                self._more.discard(name)


class RunRows:
    """TaskFlow's rows of runs that were claimed."""

    def __init__(self, schema: Schema) -> None:
        self._atoms = schema.logbook.atomdetails
        self._flows = schema.logbook.flowdetails

    def write(self, connection: sa.Connection, rows: Rows) -> None:
        """All of them but the events."""
        if rows.flows:
            self._flow_update.many(connection, rows.flows)
        if rows.results:
            self._result_update.many(connection, rows.results)
        if rows.wholes:
            self._whole_update.many(connection, rows.wholes)

    @cached_property
    def _flow_update(self) -> Prepared:
        return _update(self._flows, ("state",))

    @cached_property
    def _result_update(self) -> Prepared:
        return _update(self._atoms, _RESULT)

    @cached_property
    def _whole_update(self) -> Prepared:
        return _update(self._atoms, _WHOLE)


class _AsKept(sa.types.UserDefinedType[Any]):
    """Text that is handed on as it is, whatever the column."""

    cache_ok = True


class _Stamp(sa.sql.functions.FunctionElement[Any]):
    """Now, as TaskFlow stamps its rows: UTC that does not say so."""

    type = sa.DateTime()
    inherit_cache = True


@sa.ext.compiler.compiles(_Stamp)
def _stamp_of_postgresql(_element: _Stamp, _compiler: object, **_: object) -> str:
    return "(clock_timestamp() at time zone 'utc')"


@sa.ext.compiler.compiles(_Stamp, "sqlite")
def _stamp_of_sqlite(_element: _Stamp, _compiler: object, **_: object) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


@sa.ext.compiler.compiles(_Stamp, "mysql")
@sa.ext.compiler.compiles(_Stamp, "mariadb")
def _stamp_of_mysql(_element: _Stamp, _compiler: object, **_: object) -> str:
    return "utc_timestamp(6)"


def _update(table: sa.Table, columns: tuple[str, ...]) -> Prepared:
    values: dict[str, Any] = {name: sa.bindparam(name, type_=_AsKept()) for name in columns}
    where = table.c.uuid == sa.bindparam("key", type_=_AsKept())
    return Prepared(sa.update(table).where(where).values(**values, updated_at=_Stamp()))


def _encoded(retry: models.RetryDetail) -> Any:
    return retry.to_dict()["results"]


def _whole(atom: models.AtomDetail, remarks: Mapping[str, Any]) -> dict[str, Any]:
    known = atom.to_dict()
    row = {name: known[name] for name in ("state", "intention", "version")}
    row["meta"] = _text_of({**(known["meta"] or {}), **remarks})
    for name in ("results", "failure", "revert_results", "revert_failure"):
        row[name] = None if known[name] is None else _text_of(known[name])
    return row | {"key": atom.uuid}
