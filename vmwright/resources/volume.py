"""Volumes, and snapshots of them."""

from vmwright.resources.resource import Moment, Resource


class Volume(Resource):
    """A disk that may outlive an instance. It is on no host before an instance has used it."""

    id: str
    name: str
    size_gib: int
    disk_format: str
    bootable: bool
    image_id: str | None
    snapshot_id: str | None
    host_id: str | None
    created_at: Moment


class Snapshot(Resource):
    """What a volume held at one moment."""

    id: str
    name: str
    volume_id: str
    size_gib: int
    bootable: bool
    host_id: str
    created_at: Moment
