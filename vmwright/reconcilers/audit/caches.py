"""Copies of images: on hosts, where they save uploads, and in the image store."""

import time
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from vmwright.backends.volumes import Stored
from vmwright.ids import DeploymentId, ImageId, base_of_name
from vmwright.persistence.history import History
from vmwright.persistence.records import Image
from vmwright.persistence.stores import Stores
from vmwright.reconcilers.audit.sightings import Sighting
from vmwright.reconcilers.audit.verdicts import Books, Finding, Verdict, judge_debt, missing
from vmwright.settings import AuditSettings
from vmwright.tasks.task import Means

STRAY_AGE = 3600.0
"""Seconds after which stored bytes that no image names were left by the dead."""


class Caches:
    """What nobody needs of the copies of images, or needs and has not."""

    def __init__(
        self, means: Means, deployment: DeploymentId, history: History, settings: AuditSettings
    ) -> None:
        self._stores = means.stores
        self._images = means.images
        self._deployment = deployment
        self._history = history
        self._age = settings.base_age

    def on_host(self, connection: sa.Connection, seen: Sighting, books: Books) -> Iterator[Finding]:
        images = self._stores.registries.images.all(connection)
        used = {volume.backing for volume in seen.volumes}
        for volume in seen.volumes:
            if volume.name.startswith("vmw-base.") and volume.name not in used:
                found = self._judged(connection, seen, volume, images, books)
                if found is not None:
                    yield found

    def in_image_store(self, connection: sa.Connection) -> Iterator[Finding]:
        rows = {image.location: image for image in self._stores.registries.images.all(connection)}
        strays = set(self._images.locations(STRAY_AGE)) - rows.keys()
        restored = self._history.forgotten_until(connection)
        older = self._images.locations(time.time() - restored) if restored else ()
        for location in sorted(strays):
            verdict, why = Verdict.LEFTOVER, "no image has these bytes"
            if location in older:
                verdict, why = Verdict.UNKNOWN, "no image of the restored store has these bytes"
            yield Finding(kind="image", key=location, verdict=verdict, why=why)
        for draft in self._images.drafts():
            why = "who copied it is dead"
            yield Finding(kind="draft", key=draft, verdict=Verdict.LEFTOVER, why=why)
        for location, image in sorted(rows.items()):
            if not self._images.path(location).is_file():
                why = f"the bytes of image {image.name!r} are not in this machine's image store"
                remedy = "bring the image store back from its backup"
                yield missing("image", location, why, remedy=remedy)

    def _judged(
        self,
        connection: sa.Connection,
        seen: Sighting,
        base: Stored,
        images: Sequence[Image],
        books: Books,
    ) -> Finding | None:
        named = base_of_name(base.name)
        if named is None or named[0] != self._deployment:
            return _found(seen, base, Verdict.FOREIGN, "it is no image of this deployment")
        _, sha256, disk_format = named
        debt = books.debts.get((seen.host.id, "base", f"{sha256}/{disk_format}"))
        if debt is not None:
            return judge_debt(debt, books.now)
        registered = [i for i in images if (i.sha256, i.disk_format) == (sha256, disk_format)]
        if not registered:
            return _found(seen, base, Verdict.LEFTOVER, "no image needs it")
        young = base.changed_at is None or base.changed_at + self._age > time.time()
        if young or any(is_wanted(self._stores, connection, image.id) for image in registered):
            return None
        why = "no instance and no volume is made from it"
        if not base.whole:
            why = "it is half an image, and nobody goes on with it"
        return _found(seen, base, Verdict.LEFTOVER, why)


def is_wanted(stores: Stores, connection: sa.Connection, image: ImageId) -> bool:
    """Whether a living instance or volume was made from the image, or is being made."""
    used = stores.volumes.uses_of_image(connection, image)
    return bool(used or stores.instances.mentioning(connection, image))


def _found(seen: Sighting, base: Stored, verdict: Verdict, why: str) -> Finding:
    return Finding(
        kind="base",
        key=base.name,
        verdict=verdict,
        why=why,
        host=seen.host.id,
        since=base.changed_at,
    )
