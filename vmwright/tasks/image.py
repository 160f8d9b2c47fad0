"""Tasks about the image that a guest boots from."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
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
    """Have the images on the host, and the volumes that are made from them."""
    sources = {base_of(image): store.path(image.location) for image in images}
    volumes = list(volumes)
    # A volume is not made unless its image is there, whole: most are, and are not looked for.
    seen = {volume.base for volume in volumes}
    unseen = {base: source for base, source in sources.items() if base not in seen}
    try:
        _make(run, place, unseen, volumes)
    except Refused:
        # Whatever it was refused for: another build may have brought the image meanwhile.
        _make_surely(run, place, sources, volumes)


def _make_surely(
    run: Run, place: Volumes, sources: Mapping[Base, Path], volumes: Sequence[Volume]
) -> None:
    try:
        _make(run, place, sources, volumes)
    except Refused:
        # An audit may have removed, between our look and our use, what nobody had used so far.
        if _all_there(run, place, sources):
            raise
        _make(run, place, sources, volumes)


def _make(
    run: Run, place: Volumes, sources: Mapping[Base, Path], volumes: Iterable[Volume]
) -> None:
    for base, source in sources.items():
        place.ensure_base(base, source, run.wait)
    for volume in volumes:
        place.ensure_volume(volume, run.wait)


def _all_there(run: Run, place: Volumes, bases: Iterable[Base]) -> bool:
    """Whether the host has these images, whole."""
    stored = {known.name for known in place.volumes(run.wait) if known.whole}
    deployment = run.mark.deployment
    return {base_name(deployment, base.sha256, base.disk_format) for base in bases} <= stored


def base_of(image: ImageSpec) -> Base:
    """The image as hosts cache it."""
    return Base(
        sha256=image.sha256,
        disk_format=image.disk_format,
        size_bytes=image.size_bytes,
        virtual_size_bytes=image.virtual_size_bytes,
    )
