"""Removes what surely nobody needs: judged anew in the transaction that decides it.

What lies on hosts is owed first and paid then, as an undo's is: a silent host gets it later.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from vmwright.backends.removal import Kind, Removal
from vmwright.errors import Refused, Unavailable
from vmwright.ids import HostId, InstanceId, OperationId, Whose, base_of_name
from vmwright.reconcilers.audit.books import books_of
from vmwright.reconcilers.audit.caches import is_wanted
from vmwright.reconcilers.audit.looking import Audit
from vmwright.reconcilers.audit.state_files import is_abandoned
from vmwright.reconcilers.audit.verdicts import (
    QUIET,
    Finding,
    Thing,
    Verdict,
    judge,
    judge_holding,
)
from vmwright.reconcilers.debts import pay_debts
from vmwright.waiting import Wait

LOG = logging.getLogger(__name__)

LEFT_OVER = "left over"
"""The reason of debts that a repair makes."""
_ROUNDS = 3
"""A disk may go once its guest has, and an image once its last disk has."""

_Identity = tuple[HostId | None, str, str]


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """What was found before or after a repair, and what became of it."""

    finding: Finding
    outcome: str
    """``removed``, ``owed`` or ``left``."""


class Repair:
    """Does something about what an audit finds. May be repeated, also by several at once."""

    def __init__(
        self, audit: Audit, *, pause: float, stopping: threading.Event | None = None
    ) -> None:
        """`pause`: seconds until a debt that could not be paid is tried again."""
        self._audit = audit
        self._stores = audit.means.stores
        self._pause = pause
        self._stopping = stopping

    def run(self, *, adopt_unknown: bool = False, minimum_age: float = 0.0) -> Sequence[Repaired]:
        """Remove what is left over and ended at least `minimum_age` seconds ago.

        With `adopt_unknown` also what is ours and the store does not know. Returns what was done
        and what is still to be looked at. Raises `StoreRestored`, `StoreUnavailable`, `Cancelled`.
        """
        with self._stores.database.read() as connection:
            self._audit.history.check(connection)
        wanted = {Verdict.LEFTOVER, *([Verdict.UNKNOWN] if adopt_unknown else [])}
        tried: dict[_Identity, Finding] = {}
        for _ in range(_ROUNDS):
            found = self._audit.findings(self._stopping)
            due = [
                finding
                for finding in found
                if finding.verdict in wanted
                and _identity(finding) not in tried
                and self._is_old_enough(finding, minimum_age)
            ]
            for finding in due:
                if self._let_go(finding):
                    tried[_identity(finding)] = finding
            if not due:
                break
            pay_debts(
                self._audit.means,
                patience=self._audit.patience,
                pause=self._pause,
                stopping=self._stopping,
            )
        return _told(tried, self._audit.findings(self._stopping))

    def _is_old_enough(self, finding: Finding, minimum_age: float) -> bool:
        if finding.kind == "base":
            # A build may have looked whether it is there, and be about to use it.
            minimum_age = max(minimum_age, self._audit.settings.base_age)
        return finding.since is None or finding.since + minimum_age <= time.time()

    def _let_go(self, finding: Finding) -> bool:
        """Whether it was still so, and is being done something about."""
        acts: dict[str, Callable[[Finding], bool]] = {
            "base": self._let_base_go,
            "image": self._remove_bytes,
            "draft": self._remove_drafts,
            "lock": self._remove_lock,
        }
        if finding.holding is not None:
            done = self._let_row_go(finding)
        elif finding.kind == "network":
            done = self._owe_network(finding)
        elif finding.thing is not None:
            done = self._owe_thing(finding, finding.thing)
        else:
            done = acts[finding.kind](finding)
        if done:
            LOG.info("audit: %s %s is let go: %s", finding.kind, finding.key, finding.why)
        return done

    def _let_row_go(self, finding: Finding) -> bool:
        assert finding.holding is not None
        with self._stores.database.write() as connection:
            held = self._stores.census.holding(connection, finding.holding)
            if held is None:
                return False
            books = books_of(self._stores, connection, self._audit.deployment, (), [held])
            again = judge_holding(held, books)
            if again is not None and again.verdict is Verdict.OWED:
                return True  # whoever pays that gives it back
            if again is None or again.verdict is not finding.verdict:
                return False
            self._stores.census.let_go(connection, held)
        return True

    def _owe_thing(self, finding: Finding, thing: Thing) -> bool:
        with self._stores.database.write() as connection:
            books = books_of(self._stores, connection, self._audit.deployment, [thing])
            again = judge(thing, books)
            if again is None or again.verdict is not finding.verdict or thing.mark is None:
                return False
            known = any(
                o.id == thing.mark.operation for o in books.operations.get(thing.mark.instance, ())
            )
            whose = Whose(
                deployment=thing.mark.deployment,
                instance=thing.mark.instance,
                operation=thing.mark.operation,
            )
            _, kind, key = thing.debt
            operation = thing.mark.operation if known else None
            self._owe(
                connection, thing.host, Removal(kind=Kind(kind), key=key, whose=whose), operation
            )
        return True

    def _owe_network(self, finding: Finding) -> bool:
        assert finding.host is not None
        with self._stores.database.write() as connection:
            if self._stores.registries.networks.get(connection, finding.key) is not None:
                return False
            self._owe(connection, finding.host, self._unmarked(Kind.NETWORK, finding.key), None)
        return True

    def _let_base_go(self, finding: Finding) -> bool:
        """A copy that saves an upload. Never owed while an image could want it: a debt would be
        paid whenever its host answers again."""
        named = base_of_name(finding.key)
        assert named is not None
        assert finding.host is not None
        _, sha256, disk_format = named
        removal = self._unmarked(Kind.BASE, f"{sha256}/{disk_format}")
        with self._stores.database.write() as connection:
            self._stores.registries.take_turn(connection)
            images = self._stores.registries.images.where(
                connection, sha256=sha256, disk_format=disk_format
            )
            if any(is_wanted(self._stores, connection, image.id) for image in images):
                return False
            host = self._stores.registries.hosts.get(connection, finding.host)
            if not images:
                self._owe(connection, finding.host, removal, None)
                return True
        if host is None:
            return False
        try:
            place = self._audit.means.backend.host(host.connection_uri)
            removal.carry_out(place, Wait(self._audit.patience, cancelled=self._stopping))
        except (Refused, Unavailable) as error:
            LOG.info("base %s stays on host %s: %s", finding.key, host.name, error)
        return True

    def _remove_bytes(self, finding: Finding) -> bool:
        with self._stores.database.write() as connection:
            self._stores.registries.take_turn(connection)
            if self._stores.registries.images.where(connection, location=finding.key):
                return False
            self._audit.means.images.remove(finding.key)
        return True

    def _remove_drafts(self, _: Finding) -> bool:
        self._audit.means.images.remove_drafts()
        return True

    def _remove_lock(self, finding: Finding) -> bool:
        path = self._audit.state_dir / "owners" / finding.key
        with self._stores.database.read() as connection:
            if path.stem in self._stores.census.owners(connection) or not is_abandoned(path):
                return False
        path.unlink(missing_ok=True)
        return True

    def _unmarked(self, kind: Kind, key: str) -> Removal:
        """Of a thing that belongs to the deployment, and to no instance."""
        whose = Whose(deployment=self._audit.deployment, instance=InstanceId(""))
        return Removal(kind=kind, key=key, whose=whose)

    def _owe(
        self,
        connection: sa.Connection,
        host: HostId,
        removal: Removal,
        operation: OperationId | None,
    ) -> None:
        self._stores.debts.owe(
            connection,
            host=host,
            kind=removal.kind,
            key=removal.key,
            whose=removal.whose.to_store(),
            reason=LEFT_OVER,
            delay=0.0,
            operation=operation,
            instance=removal.whose.instance or None,
        )


def keep_clean(
    audit: Audit, *, pause: float, stopping: threading.Event | None = None
) -> Sequence[Repaired]:
    """One round of a service: look, repair what is old enough if that is asked for, and log what
    somebody must look at. Raises what `Repair.run` raises."""
    settings = audit.settings
    if settings.repair:
        repair = Repair(audit, pause=pause, stopping=stopping)
        found = repair.run(minimum_age=settings.minimum_age)
    else:
        found = _told({}, audit.findings(stopping))
    hosts = audit.hosts()
    for repaired in found:
        finding = repaired.finding
        LOG.log(
            logging.INFO if repaired.outcome == "removed" else logging.WARNING,
            "audit: %s %s on host %s is %s, and %s: %s",
            finding.kind,
            finding.key,
            hosts.get(finding.host or HostId(""), "-"),
            finding.verdict,
            repaired.outcome,
            finding.why,
        )
    return found


def _told(tried: dict[_Identity, Finding], left: Iterable[Finding]) -> Sequence[Repaired]:
    """What was let go, and what is still there, each once."""
    still = {_identity(finding): finding for finding in left if finding.verdict not in QUIET}
    done = []
    for identity, finding in tried.items():
        now = still.pop(identity, None)
        outcome = "removed"
        if now is not None:
            outcome = "owed" if now.verdict is Verdict.OWED else "left"
        done.append(Repaired(finding=finding, outcome=outcome))
    return [*done, *(Repaired(finding=finding, outcome="left") for finding in still.values())]


def _identity(finding: Finding) -> _Identity:
    return finding.host, finding.kind, finding.key
