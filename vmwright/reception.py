"""Takes requests in: at once where there is a host to build on, else once there is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from vmwright.admission import Caller, Door
from vmwright.admission.intake import Answers
from vmwright.admission.several import Wish
from vmwright.inventory import Inventory
from vmwright.persistence.database import Database
from vmwright.persistence.history import History
from vmwright.persistence.shared_transactions import SharedTransactions
from vmwright.request import CreateRequest


@dataclass(frozen=True)
class _Asked:
    """What one thread asks for."""

    wishes: Sequence[Wish]
    heard_of: bool | None
    """Only if there is a host, and if so one has just answered; None: in any case."""


class Reception:
    """Of one controller, and so of one caller. Thread-safe.

    What several threads ask for at one moment is stored by one transaction, as if it had been
    asked for together; what cannot be, each for itself.
    """

    def __init__(
        self,
        database: Database,
        door: Door,
        caller: Caller,
        history: History,
        inventory: Callable[[], Inventory],
        patience: float,
    ) -> None:
        """`patience` is for how many seconds a host is asked."""
        self._database = database
        self._door = door
        self._caller = caller
        self._history = history
        self._inventory = inventory
        self._patience = patience
        self._storing = SharedTransactions(database, self._store)

    def accept(self, requests: Sequence[CreateRequest], *, ask_hosts: bool) -> Answers:
        """All of them or none; as `Door.create`. `Unavailable` if hosts are to be asked and none
        answers."""
        wishes = [Wish.of(request) for request in requests]
        accepted = self._storing.store(_Asked(wishes, heard_of=ask_hosts))
        if accepted is None:
            if self._check(requests):
                self._inventory().ensure_default_host()
                if ask_hosts:
                    self._inventory().ensure_some_host_answers(self._patience)
            accepted = self._storing.store(_Asked(wishes, heard_of=None))
        assert accepted is not None, "the second time there is no condition"
        return accepted

    def _check(self, requests: Sequence[CreateRequest]) -> bool:
        """Refuse what can be refused before a host is asked, or registered. Returns whether
        anything is to be built that was not accepted before."""
        with self._database.read() as connection:
            return self._door.check(connection, requests, self._caller)

    def _store(
        self, connection: sa.Connection, together: Sequence[_Asked], again: bool
    ) -> Sequence[Answers | None]:
        """None to those for whom there is no host: nothing of theirs is stored."""
        self._history.check(connection)
        may = {
            heard_of: self._may_be(connection, heard_of)
            for heard_of in {asked.heard_of for asked in together}
        }
        accepted = [asked for asked in together if may[asked.heard_of]]
        if not accepted:
            return [None] * len(together)
        wishes = [wish for asked in accepted for wish in asked.wishes]
        answers = self._door.create(connection, wishes, self._caller, again=again)
        parts = iter(answers.parts([len(asked.wishes) for asked in accepted]))
        return [next(parts) if may[asked.heard_of] else None for asked in together]

    def _may_be(self, connection: sa.Connection, heard_of: bool | None) -> bool:
        return heard_of is None or self._inventory().has_host(connection, heard_of=heard_of)
