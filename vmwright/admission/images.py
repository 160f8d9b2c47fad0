"""Images of a request: which they are, and whether they fit the flavor."""

from dataclasses import dataclass

from vmwright.admission.catalogue import Catalogue
from vmwright.errors import InvalidRequest, NotFound
from vmwright.persistence.records import Flavor, Image
from vmwright.request import CreateRequest
from vmwright.request.create import NO_KERNEL
from vmwright.spec import ImageSpec

GIB = 2**30

KERNEL, RAMDISK, CONFIG_DRIVE, DISK_CONFIG = (
    "kernel_id",
    "ramdisk_id",
    "img_config_drive",
    "auto_disk_config",
)
"""Properties of images that say what the request does not."""


@dataclass(frozen=True, kw_only=True)
class BootImages:
    """What the instance boots, and what its image says."""

    image: ImageSpec | None
    properties: dict[str, str]
    kernel: ImageSpec | None
    ramdisk: ImageSpec | None


def flavor_of(catalogue: Catalogue, request: CreateRequest) -> Flavor:
    flavor = catalogue.flavor(request.flavor)
    if not flavor.enabled:
        raise InvalidRequest(
            f"flavor {flavor.name!r} is disabled", hint="see: vmwright flavor list"
        )
    return flavor


def boot_images(catalogue: Catalogue, request: CreateRequest, flavor: Flavor) -> BootImages:
    """The images by name or id, held until the transaction ends. A request's kernel and ramdisk
    win over the image's own."""
    root = _root_image(catalogue, request)
    image = None if request.image is None else root
    if image is not None:
        refuse_misfit(image, flavor)
    properties = dict(root.properties) if root else {}
    kernel = request.kernel or properties.get(KERNEL)
    ramdisk = request.ramdisk or properties.get(RAMDISK)
    if kernel == NO_KERNEL:
        kernel = ramdisk = None
    if ramdisk is not None and kernel is None:
        raise InvalidRequest("a ramdisk needs a kernel")
    return BootImages(
        image=image_spec(image) if image else None,
        properties=properties,
        kernel=_pinned(catalogue, kernel, root, KERNEL),
        ramdisk=_pinned(catalogue, ramdisk, root, RAMDISK),
    )


def _root_image(catalogue: Catalogue, request: CreateRequest) -> Image | None:
    """The image that the first disk begins as, or began as."""
    if request.image is not None:
        return catalogue.image(request.image)
    root = next(device for device in request.devices() if device.boot_index == 0)
    name = str(root.uuid)
    match root.source_type:
        case "image":
            return catalogue.image(name)
        case "volume":
            stores, connection = catalogue.stores, catalogue.connection
            volume = stores.volumes.find(connection, name, project=catalogue.caller.sees)
            images = stores.registries.images
            return images.get(connection, volume.image_id) if volume.image_id else None
        case _:
            return None


def config_drive_of(request: CreateRequest, properties: dict[str, str]) -> bool:
    """What the request says; an image may insist on one."""
    return request.config_drive or properties.get(CONFIG_DRIVE) == "mandatory"


def disk_config_of(request: CreateRequest, properties: dict[str, str]) -> str:
    """AUTO or MANUAL: what the request says, else the image."""
    said = properties.get(DISK_CONFIG)
    if request.disk_config == "AUTO" and said == "false":
        raise InvalidRequest("Requested image has automatic disk resize disabled")
    return request.disk_config or ("MANUAL" if said == "false" else "AUTO")


def refuse_misfit(image: Image, flavor: Flavor) -> None:
    """Raise `InvalidRequest` unless a root disk and the memory of this flavor are enough."""
    disk = flavor.disk_gib * GIB
    if disk and image.virtual_size_bytes > disk:
        raise InvalidRequest(
            f"flavor {flavor.name!r} has a disk of {disk} bytes, image {image.name!r} describes "
            f"one of {image.virtual_size_bytes}",
            hint="choose a flavor with a larger disk",
        )
    if flavor.disk_gib and flavor.disk_gib < image.min_disk_gib:
        raise InvalidRequest(
            f"image {image.name!r} needs {image.min_disk_gib} GiB of disk, flavor "
            f"{flavor.name!r} has {flavor.disk_gib}"
        )
    refuse_small_memory(image, flavor)


def refuse_small_memory(image: Image, flavor: Flavor) -> None:
    if flavor.ram_mib < image.min_ram_mib:
        raise InvalidRequest(
            f"image {image.name!r} needs {image.min_ram_mib} MiB of memory, flavor "
            f"{flavor.name!r} has {flavor.ram_mib}"
        )


def image_spec(image: Image) -> ImageSpec:
    return ImageSpec(
        id=image.id,
        name=image.name,
        disk_format=image.disk_format,
        size_bytes=image.size_bytes,
        virtual_size_bytes=image.virtual_size_bytes,
        sha256=image.sha256,
        location=image.location,
    )


def _pinned(
    catalogue: Catalogue, name: str | None, root: Image | None, key: str
) -> ImageSpec | None:
    """`NotFound` that says so where it is the image `root` that names this one, by property."""
    if name is None:
        return None
    try:
        return image_spec(catalogue.image(name))
    except NotFound as error:
        if root is None or root.properties.get(key) != name:
            raise
        raise NotFound(
            f"{error.message}, which the property {key} of image {root.name!r} names",
            hint=f"see: vmwright help image unset; or build with --kernel {NO_KERNEL}",
        ) from None
