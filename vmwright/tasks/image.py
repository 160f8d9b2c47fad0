"""Tasks about the image that a guest boots from."""

from collections.abc import Iterable
from typing import Any

from vmwright.backends.images import ImageStore, StoredImage
from vmwright.backends.volumes import GIB, Base, Volume, Volumes
from vmwright.errors import InvalidRequest, Refused
from vmwright.ids import base_name
from vmwright.spec import ImageSpec, Spec
from vmwright.tasks.task import Run, Task


class CheckImageSize(Task):
    """Look again that every image is whole and safe, and that the first fits the root disk."""

    task_name = "check_image_size"
    only_looks = True
    default_provides = "base_image"

    def execute(self, run: Run, spec: Spec) -> dict[str, Any] | None:
        volumes = [volume.image for volume in spec.volumes]
        for image in (spec.image, spec.kernel, spec.ramdisk, *volumes):
            if image is not None:
                run.wait.check(f"image {image.name}")
                self._check(image)
        if spec.image is None:
            return None
        if spec.root_gib and spec.image.virtual_size_bytes > spec.root_gib * GIB:
            raise Refused(
                f"image {spec.image.name!r} describes a disk of {spec.image.virtual_size_bytes} "
                f"bytes, the flavor's disk is {spec.root_gib} GiB",
                hint="choose a flavor with a larger disk",
            )
        base = base_of(spec.image)
        return {"sha256": base.sha256, "disk_format": base.disk_format}

    def _check(self, image: ImageSpec) -> None:
        stored = StoredImage(
            location=image.location,
            disk_format=image.disk_format,
            size_bytes=image.size_bytes,
            virtual_size_bytes=image.virtual_size_bytes,
            sha256=image.sha256,
        )
        try:
            self._means.images.check(stored)
        except InvalidRequest as error:
            raise Refused(f"image {image.name!r}: {error.message}", hint=error.hint) from error


def make_with_bases(
    run: Run,
    store: ImageStore,
    place: Volumes,
    images: Iterable[ImageSpec],
    volumes: Iterable[Volume],
) -> None:
    """Have the images on the host, and then the volumes that are made from them."""
    images, volumes = list(images), list(volumes)
    try:
        _make(run, store, place, images, volumes)
    except Refused:
        # An audit may have removed, between our look and our use, what nobody had used so far.
        stored = {known.name for known in place.volumes(run.wait)}
        deployment = run.mark.deployment
        if {base_name(deployment, i.sha256, i.disk_format) for i in images} <= stored:
            raise
        _make(run, store, place, images, volumes)


def _make(
    run: Run,
    store: ImageStore,
    place: Volumes,
    images: Iterable[ImageSpec],
    volumes: Iterable[Volume],
) -> None:
    for image in images:
        place.ensure_base(base_of(image), store.path(image.location), run.wait)
    for volume in volumes:
        place.ensure_volume(volume, run.wait)


def base_of(image: ImageSpec) -> Base:
    """The image as hosts cache it."""
    return Base(
        sha256=image.sha256,
        disk_format=image.disk_format,
        size_bytes=image.size_bytes,
        virtual_size_bytes=image.virtual_size_bytes,
    )
