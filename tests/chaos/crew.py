"""What one controller of a chaos run does until it dies: resume, build, delete."""

import logging
import os
import random
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from vmwright.controller import Controller
from vmwright.errors import VmwrightError
from vmwright.persistence.records import Operation
from vmwright.request import CreateRequest
from vmwright.states import OperationState

KEPT = ("kept1", "kept2", "kept3")
"""Volumes and ports that are there before: one instance at a time may have each."""

Wish = Callable[[str, random.Random], CreateRequest]
Work = Callable[[Controller], None]


def labour(seed: str, wish: Wish, journal: Path, most: int, first: Work | None = None) -> Work:
    """Do something first, go on with all that others left, then build and delete without end.

    The more instances there are, the more are deleted: never more than `most`, or few more. Each
    operation that was accepted is noted in the journal: somebody was told of it.
    """
    chance = random.Random(seed)

    def work(controller: Controller) -> None:
        log_everything()
        if first is not None:
            _tried(lambda: first(controller))
        controller.resume()
        for number in range(10**6):
            name = f"{seed}-{number}"
            _tried(
                lambda: controller.wait(
                    _asked(controller, chance, name, wish, journal, most),  # noqa: B023
                    timeout=1.0,
                )
            )

    return work


def _tried(what: Callable[[], object]) -> None:
    try:
        what()
    except VmwrightError as error:
        logging.getLogger("crew").info("refused: %s", error)


def _asked(
    controller: Controller, chance: random.Random, name: str, wish: Wish, journal: Path, most: int
) -> str:
    """The last of up to two operations, side by side."""
    accepted: list[Operation] = []
    for number in range(chance.randint(1, 2)):
        known = controller.instances()
        settled = [instance for instance in known if not instance.operation_id]
        # Now and then also one that is being built, or deleted.
        doomed = known if chance.random() < 0.1 else settled
        if doomed and chance.random() < len(known) / most:
            accepted.append(controller.delete(chance.choice(doomed).id))
        else:
            accepted.append(controller.create(wish(f"vm-{name}-{number}", chance)))
        note(journal, accepted[-1].id)
        if chance.random() < 0.03:
            controller.cancel(accepted[-1].id)
    return accepted[-1].id


def settle(controller: Controller) -> None:
    """See everything through, also what is stuck, and pay what is owed."""
    log_everything()
    for _ in range(20):
        for known in controller.operations([OperationState.STUCK]):
            controller.retry(known.id)
        for known in controller.resume():
            controller.wait(known.id, timeout=120)
        if not controller.pay_debts() and not controller.operations([OperationState.STUCK]):
            return
        _until_due(controller)


def _until_due(controller: Controller) -> None:
    """Debts of late effects are not due before those can have landed."""
    threading.Event().wait(1.0)


def log_everything() -> None:
    """To this process's log: secrets are looked for in it."""
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG, force=True)
    logging.getLogger("taskflow").setLevel(logging.INFO)


def note(journal: Path, text: str) -> None:
    """One line, whole, whenever the process dies."""
    descriptor = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{text}\n".encode())
    os.close(descriptor)


def notes(journal: Path) -> list[str]:
    return journal.read_text().split() if journal.exists() else []


def wish_of(marker: bytes, choices: int) -> Wish:
    """Instances with secrets, disks of every kind, and now and then a volume and a port of the
    user's; of one of so many images and networks, which each host sees for the first time once."""

    def wish(name: str, chance: random.Random) -> CreateRequest:
        kept = chance.choice(KEPT)
        old = chance.random() < 0.3
        image, network = (chance.randint(1, choices) for _ in range(2))
        return CreateRequest.parse(
            name=name,
            image=f"image{image}",
            flavor="small",
            networks=[{"network": f"net{network}"}, *([{"port": kept}] if old else [])],
            volumes=[{"size": 1}, {"volume": kept} if old else {"image": f"image{image}"}],
            user_data=marker,
            admin_password=marker.decode(),
            injected_files=[{"path": "/etc/secret", "content": marker}],
        )

    return wish
