"""Flavors: the sizes that instances come in."""

from vmwright.resources.resource import Moment, Resource


class Flavor(Resource):
    """A size of instances. A root disk of 0 GiB is as large as its image."""

    id: str
    name: str
    enabled: bool
    vcpus: int
    ram_mib: int
    disk_gib: int
    ephemeral_gib: int
    swap_mib: int
    extra_specs: dict[str, str]
    created_at: Moment
