"""Security groups with their rules, and server groups."""

from vmwright.resources.resource import Moment, Resource


class SecurityGroupRule(Resource):
    """What a group lets through; null stands for any. For ICMP the two ports are type and code."""

    id: str
    group_id: str
    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_id: str | None
    created_at: Moment


class SecurityGroup(Resource):
    """A named set of rules for what may reach an instance."""

    id: str
    name: str
    description: str
    project_id: str
    created_at: Moment


class SecurityGroupWithRules(SecurityGroup):
    """Its rules are in the order in which they were made."""

    rules: list[SecurityGroupRule]


class ServerGroup(Resource):
    """Instances that are to be together, or apart. `members` are the ids of living ones."""

    id: str
    name: str
    policy: str
    max_server_per_host: int | None
    members: list[str]
    project_id: str
    user_id: str
    created_at: Moment
