"""Volumes, and snapshots of them."""

from fastapi import APIRouter

from vmwright.api.identity import Speaking
from vmwright.api.names import NameOrId
from vmwright.inventory.wishes import NewSnapshot, NewVolume
from vmwright.resources.volume import Snapshot, Volume
from vmwright.waiting import Wait

router = APIRouter(tags=["volumes"])


@router.post("/volumes", status_code=201)
def create_volume(controller: Speaking, body: NewVolume) -> Volume:
    """Register a volume; it is made on the host of the first instance that has it."""
    return Volume.model_validate(controller.inventory.create_volume(**body.model_dump()))


@router.get("/volumes")
def list_volumes(controller: Speaking) -> list[Volume]:
    """Every living volume that the caller sees, oldest first."""
    return [Volume.model_validate(one) for one in controller.inventory.volumes()]


@router.get("/volumes/{volume}")
def show_volume(controller: Speaking, volume: NameOrId) -> Volume:
    """One volume."""
    return Volume.model_validate(controller.inventory.volume(volume))


@router.delete("/volumes/{volume}", status_code=204)
def delete_volume(controller: Speaking, volume: NameOrId) -> None:
    """Forget a volume that is not attached, and have its host remove it. Its snapshots stay."""
    controller.inventory.delete_volume(volume)


@router.post("/snapshots", status_code=201)
def create_snapshot(controller: Speaking, body: NewSnapshot) -> Snapshot:
    """Keep what a volume holds that no instance uses: a whole copy, on the same host. The answer
    comes once it is made."""
    wait = Wait(controller.settings.operations.deadline)
    made = controller.inventory.create_snapshot(body.name, body.volume, wait=wait)
    return Snapshot.model_validate(made)


@router.get("/snapshots")
def list_snapshots(controller: Speaking) -> list[Snapshot]:
    """Every living snapshot of the project, oldest first."""
    return [Snapshot.model_validate(one) for one in controller.inventory.snapshots()]


@router.get("/snapshots/{snapshot}")
def show_snapshot(controller: Speaking, snapshot: NameOrId) -> Snapshot:
    """One snapshot."""
    return Snapshot.model_validate(controller.inventory.snapshot(snapshot))


@router.delete("/snapshots/{snapshot}", status_code=204)
def delete_snapshot(controller: Speaking, snapshot: NameOrId) -> None:
    """Forget a snapshot that no volume begins as, and have its host remove it."""
    controller.inventory.delete_snapshot(snapshot)
