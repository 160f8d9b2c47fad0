"""Images: a row for each name, bytes for each content, copies on hosts, and their common end.

Bytes are stored before the row that names them and removed after the last one that does. Both
happen in turns, so that nobody registers bytes that somebody else is about to remove.
"""

import time
from collections.abc import Iterable
from pathlib import Path

import sqlalchemy as sa

from vmwright.backends.images import ImageStore, StoredImage
from vmwright.backends.removal import Kind
from vmwright.errors import Conflict
from vmwright.ids import ImageId, new_id
from vmwright.inventory.register import Register, added, merged
from vmwright.inventory.wishes import ImageChange, NewImage
from vmwright.persistence.history import History
from vmwright.persistence.records import Image
from vmwright.spec import Spec
from vmwright.waiting import Wait

_STRAY_AGE = 3600.0
"""Seconds after which stored bytes that no image names were left by the dead."""


class Images:
    """The images of a deployment."""

    def __init__(
        self, register: Register, images: ImageStore, project: str, history: History
    ) -> None:
        self._register = register
        self._stores = register.stores
        self._rows = register.stores.registries.images
        self._images = images
        self._project = project
        self._history = history

    def refuse(self, name: str) -> None:
        self._register.rights.operate()
        self._register.refuse_taken(self._rows, name=name)

    def create(self, wish: NewImage, source: Path, disk_format: str | None, wait: Wait) -> Image:
        self.refuse(wish.name)
        while True:
            stored = self._images.add(source, disk_format, wait)
            image = self._registered(wish, stored)
            if image is not None:
                self._remove_strays()
                return image

    def change(self, name_or_id: str, wish: ImageChange, without: Iterable[str]) -> Image:
        self._register.rights.operate()
        with self._register.turn() as connection:
            image = self._rows.find(connection, name_or_id)
            properties = merged(image.properties, wish.properties, without)
            self._rows.change(connection, image.id, properties=properties)
            return self._rows.find(connection, image.id)

    def delete(self, name_or_id: str) -> Image:
        self._register.rights.operate()
        with self._register.turn() as connection:
            image = self._rows.find(connection, name_or_id)
            self._rows.remove(connection, image.id)
            self._refuse_used(connection, image)
            if not self._rows.where(connection, location=image.location):
                self._register.owe_everywhere(connection, Kind.BASE, _base_key(image))
        self._remove_unused(image.location)
        return image

    def _registered(self, wish: NewImage, stored: StoredImage) -> Image | None:
        """Store the row; None if the bytes went with another image of the same content."""
        image = Image(
            id=ImageId(new_id()),
            project_id=self._project,
            name=wish.name,
            disk_format=stored.disk_format,
            size_bytes=stored.size_bytes,
            virtual_size_bytes=stored.virtual_size_bytes,
            sha256=stored.sha256,
            min_disk_gib=wish.min_disk_gib,
            min_ram_mib=wish.min_ram_mib,
            location=stored.location,
            properties=wish.properties,
        )
        try:
            with self._register.turn() as connection:
                if not self._images.path(stored.location).is_file():
                    return None
                self._stores.debts.drop(connection, kind=Kind.BASE, key=_base_key(image))
                return added(connection, self._rows, image)
        except Conflict:
            self._remove_unused(stored.location)
            raise

    def _refuse_used(self, connection: sa.Connection, image: Image) -> None:
        for instance in self._stores.instances.mentioning(connection, image.id):
            if image.id in _images_of(Spec.from_store(instance.request)):
                raise Conflict(
                    f"image {image.name!r} is in use by instance {instance.name!r}",
                    hint=f"delete it first: vmwright delete {instance.id}",
                )
        volumes = self._stores.volumes.uses_of_image(connection, image.id)
        if volumes:
            raise Conflict(
                f"image {image.name!r} is in use by {volumes} volumes",
                hint="delete them first; see: vmwright volume list",
            )

    def _remove_unused(self, location: str) -> None:
        """Remove bytes that no image names."""
        with self._register.turn() as connection:
            if not self._rows.where(connection, location=location):
                self._images.remove(location)

    def _remove_strays(self) -> None:
        """Remove bytes whose process died before it named them, or after it forgot them; not what
        a store that came from a backup may have forgotten."""
        strays = set(self._images.locations(_STRAY_AGE))
        strays -= {image.location for image in self._register.all(self._rows)}
        if strays:
            strays -= self._maybe_forgotten()
        for location in sorted(strays):
            self._remove_unused(location)

    def _maybe_forgotten(self) -> set[str]:
        with self._stores.database.read() as connection:
            since = self._history.forgotten_until(connection)
        return set() if since is None else set(self._images.locations(time.time() - since))


def _base_key(image: Image) -> str:
    return f"{image.sha256}/{image.disk_format}"


def _images_of(spec: Spec) -> set[ImageId]:
    """Every image that an instance was made from."""
    named = (spec.image, spec.kernel, spec.ramdisk, *(volume.image for volume in spec.volumes))
    return {image.id for image in named if image is not None}
