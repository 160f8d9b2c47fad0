"""What a build makes of an image that lies on its host only in part."""

from pathlib import Path

import pytest

from tests.support.libvirt_calls import counted
from tests.support.libvirt_place import LibvirtPlace
from tests.support.marks import Marks, whose_create
from tests.support.things import MIB, overlay
from vmwright.backends.file_images import FileImageStore
from vmwright.backends.host import Host
from vmwright.backends.images import StoredImage
from vmwright.backends.volumes import Base
from vmwright.ids import ImageId, base_name, new_id, pool_name
from vmwright.spec import ImageSpec
from vmwright.tasks.image import base_of, make_with_bases
from vmwright.tasks.task import Run
from vmwright.waiting import Wait

pytestmark = pytest.mark.libvirt

SIZE = 2 * MIB


@pytest.fixture
def place(libvirt_place: LibvirtPlace) -> LibvirtPlace:
    return libvirt_place


@pytest.fixture
def store(tmp_path: Path) -> FileImageStore:
    return FileImageStore(tmp_path / "images", 1 << 30)


@pytest.fixture
def stored(store: FileImageStore, tmp_path: Path, wait: Wait) -> ImageSpec:
    (tmp_path / "source").write_bytes(b"\7" * SIZE)
    return spec_of(store.add(tmp_path / "source", "raw", wait))


def spec_of(image: StoredImage) -> ImageSpec:
    return ImageSpec(
        id=ImageId(new_id()),
        name="image",
        disk_format=image.disk_format,
        size_bytes=image.size_bytes,
        virtual_size_bytes=image.virtual_size_bytes,
        sha256=image.sha256,
        location=image.location,
    )


def name_of(place: LibvirtPlace, base: Base) -> str:
    return base_name(place.backend.deployment, base.sha256, base.disk_format)


def run_of(marks: Marks, wait: Wait) -> Run:
    return Run(mark=marks.ours, whose=whose_create(marks.ours), wait=wait, late_effect=1.0)


def test_image_that_is_there_in_half_is_made_whole_for_a_build(
    place: LibvirtPlace,
    host: Host,
    marks: Marks,
    store: FileImageStore,
    stored: ImageSpec,
    wait: Wait,
) -> None:
    """Its name is on the host, and an overlay of it is refused: that alone does not end a build."""
    host.hypervisor.facts(wait)
    base = base_of(stored)
    pool = place.connection.storagePoolLookupByName(pool_name(place.backend.deployment))
    pool.createXML(
        f"<volume><name>{name_of(place, base)}</name><capacity>{SIZE}</capacity>"
        "<allocation>0</allocation><target><format type='raw'/></target></volume>"
    )
    root = overlay(marks.ours, base)
    make_with_bases(run_of(marks, wait), store, host.volumes, [stored], [root])
    assert place.digest_of(name_of(place, base)) == base.sha256
    assert root.name in {known.name for known in host.volumes.volumes(wait)}


def test_image_that_is_there_is_looked_at_once_for_a_volume(
    host: Host, marks: Marks, store: FileImageStore, stored: ImageSpec, wait: Wait
) -> None:
    host.volumes.ensure_base(base_of(stored), store.path(stored.location), wait)
    with counted() as calls:
        make_with_bases(
            run_of(marks, wait),
            store,
            host.volumes,
            [stored],
            [overlay(marks.ours, base_of(stored))],
        )
    # The image and what says that it is whole.
    assert calls == {
        "virStorageVolLookupByName": 2,
        "virStorageVolGetXMLDesc": 1,
        "virStorageVolCreateXML": 1,
    }
