"""A deployment in one process: real store and image files, simulated hosts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.rows import a_spec, an_attachment, an_instance, an_operation
from vmwright.admission import Caller
from vmwright.backends.file_images import FileImageStore, images_of
from vmwright.backends.host import Backend
from vmwright.backends.simulated import open_backend
from vmwright.backends.volumes import Volume
from vmwright.ids import Mark, volume_name
from vmwright.inventory import Inventory
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.persistence.deployment import deployment_of
from vmwright.persistence.records import HostRecord, Image, Instance, VolumeRecord
from vmwright.persistence.stores import Stores
from vmwright.reconcilers.debts import pay_debts
from vmwright.settings import DatabaseSettings, OperationSettings, Settings, SimulatedSettings
from vmwright.tasks.placement import Placement
from vmwright.tasks.task import Means
from vmwright.waiting import Wait


class Deployment:
    """A store, a simulated world and an inventory on top of them."""

    def __init__(self, home: Path, database: DatabaseSettings):
        self.home = home
        self.settings = Settings(
            backend="simulated",
            state_dir=home,
            database=database,
            simulated=SimulatedSettings(world_dir=home / "world"),
            operations=OperationSettings(patience=1.0),
        )
        self.database = Database.open(self.settings.database)
        schema_version.upgrade(self.database)
        self.id = deployment_of(self.database)
        self.stores = Stores.of(self.database, home / "key")
        self.backend = open_backend(self.settings, self.id)
        self.image_root = images_of(home, self.id)
        self.images = FileImageStore(self.image_root, 64 << 20)
        self.inventory = self.inventory_on(self.backend)

    def inventory_on(self, backend: Backend) -> Inventory:
        """The same deployment, whose hosts are reached in another way."""
        return Inventory(self.stores, backend, self.images, self.id, self.settings)

    def inventory_of(self, project: str, user: str = "admin") -> Inventory:
        """The same deployment as somebody else sees it."""
        return Inventory(
            self.stores,
            self.backend,
            self.images,
            self.id,
            self.settings,
            caller=Caller(project=project, user=user),
        )

    def close(self) -> None:
        self.backend.close()
        self.database.close()

    def file(self, content: bytes = b"content", name: str = "source") -> Path:
        path = self.home / name
        path.write_bytes(content)
        return path

    def image(self, name: str = "image", content: bytes = b"content", **changes: Any) -> Image:
        return self.inventory.create_image(name, self.file(content), wait=Wait(60), **changes)

    def stored_bytes(self) -> list[str]:
        return sorted(path.name for path in self.image_root.glob("*"))

    def instance(self, image: Image, **changes: Any) -> Instance:
        """A living instance of this image, as a request leaves it."""
        with self.database.write() as connection:
            instance = an_instance(spec=a_spec(image, **changes))
            self.stores.instances.add(connection, instance)
        return instance

    def bury(self, instance: Instance) -> None:
        with self.database.write() as connection:
            self.stores.instances.bury(connection, instance.id)

    def attached(self, volume: VolumeRecord, host: HostRecord) -> Instance:
        """The instance that has the volume, which was made for it on that host."""
        instance = self.instance(self.image("of its instance"))
        operation = an_operation(instance.id)
        mark = Mark(deployment=self.id, instance=instance.id, operation=operation.id, attempt=1)
        location = volume_name(mark, "data", "qcow2")
        with self.database.write() as connection:
            self.stores.operations.add(connection, operation)
            attachment = an_attachment(volume.id, instance.id, operation.id)
            self.stores.volumes.attach(connection, attachment)
            self.stores.volumes.put(
                connection, volume.id, host=host.id, location=location, made_by=operation.id
            )
        made = Volume(name=location, disk_format="qcow2", size_bytes=1 << 20)
        self.backend.host(host.connection_uri).volumes.ensure_volume(made, Wait(5))
        return instance

    def debts(self) -> list[tuple[str, str, str]]:
        with self.database.read() as connection:
            debts = self.stores.debts.all(connection)
        names = {host.id: host.name for host in self.inventory.hosts()}
        return [(names[debt.host_id], debt.kind, debt.key) for debt in debts]

    def pay(self) -> int:
        means = Means(
            self.stores,
            self.backend,
            self.images,
            Placement(self.stores, self.settings.scheduler),
        )
        return pay_debts(means, patience=5.0, pause=0.0)

    def world(self, host: str, folder: str) -> list[str]:
        return sorted(p.stem for p in (self.home / "world" / "hosts" / host / folder).glob("*"))


@contextmanager
def deployed(home: Path, database: DatabaseSettings) -> Iterator[Deployment]:
    made = Deployment(home, database)
    try:
        yield made
    finally:
        made.close()
