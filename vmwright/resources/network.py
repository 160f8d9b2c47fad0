"""Networks, and ports: the addresses that are held on them."""

from vmwright.resources.resource import Moment, Resource


class Network(Resource):
    """Where instances have their addresses. `hosts` are the names of those that it is bound to;
    none: it is on every host."""

    id: str
    name: str
    kind: str
    cidr: str
    gateway: str
    bridge: str | None
    libvirt_network: str | None
    pool_first: str | None
    pool_last: str | None
    dns: list[str]
    hosts: list[str]
    created_at: Moment


class Port(Resource):
    """A MAC and an IP address. One that is `user_made` outlives its instance."""

    id: str
    name: str | None
    network: str
    network_id: str
    ip: str
    mac: str
    instance_id: str | None
    user_made: bool
    project_id: str
