"""Definitions of guests that any request may have become, from the very plans that users see."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.any_request import accepted, stocked_for_any
from vmwright.controller import Controller
from vmwright.request import CreateRequest
from vmwright.settings import Settings


@contextmanager
def planning_for_libvirt(directory: Path) -> Iterator[Controller]:
    """A store of `stocked_for_any`, whose hosts are libvirt's. No host is asked."""
    command = stocked_for_any(directory)
    simulated = command.file.read_text()
    as_libvirt = simulated.replace("backend = simulated", "backend = libvirt")
    command.file.write_text(f"{as_libvirt}\n[libvirt]\nvirt_type = qemu\n")
    with Controller(Settings.from_files(str(command.file))) as controller:
        yield controller


def definitions_of(controller: Controller, fields: dict[str, Any]) -> list[str]:
    """What a host would be told of each guest of this request, if it is accepted and has a host."""
    plans = accepted(lambda: controller.plan(CreateRequest.parse(**fields)))
    return [plan.definition for plan in plans if plan.definition is not None]
