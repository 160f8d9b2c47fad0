"""Images: the disks that instances begin as."""

from vmwright.resources.resource import Moment, Resource


class Image(Resource):
    """A disk image: `size_bytes` is its file's, `virtual_size_bytes` the disk's that it is."""

    id: str
    name: str
    disk_format: str
    size_bytes: int
    virtual_size_bytes: int
    min_disk_gib: int
    min_ram_mib: int
    sha256: str
    properties: dict[str, str]
    created_at: Moment
