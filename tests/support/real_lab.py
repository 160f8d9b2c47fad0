"""A deployment of its own on a real libvirt host."""

from dataclasses import dataclass, replace

from tests.support.lab import Lab
from vmwright.settings import LibvirtSettings, Settings


@dataclass(frozen=True)
class RealLab(Lab):
    """A deployment on a libvirt host."""

    uri: str = ""

    @property
    def settings(self) -> Settings:
        libvirt = LibvirtSettings(connection_uri=self.uri, virt_type="qemu")
        operations = replace(
            super().settings.operations, patience=60.0, undo_deadline=60.0, deadline=300.0
        )
        return replace(super().settings, backend="libvirt", libvirt=libvirt, operations=operations)
