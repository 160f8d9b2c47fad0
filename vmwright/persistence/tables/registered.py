"""Tables of what is registered and named: sizes, images, hosts, networks, keys, groups, quotas."""

from sqlalchemy import Column

from vmwright.persistence.tables.columns import (
    JSON,
    TEXT,
    Tables,
    name,
    number,
    ratio,
    time,
    truth,
    uuid,
    word,
)


class RegisteredTables(Tables):
    """What users and operators register before they build."""

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self._sizes()
        self._images()
        self._hosts()
        self._networks()
        self._keys()
        self._tokens()
        self._security_groups()
        self._server_groups()
        self._projects()

    def _sizes(self) -> None:
        self.deployment = self._table(
            "deployment", uuid("id"), time("created_at"), number("pruned_to", nullable=True)
        )
        self.flavors = self._table(
            "flavors",
            uuid("id"),
            name("name"),
            number("vcpus"),
            number("ram_mib"),
            number("disk_gib"),
            Column("extra_specs", JSON, nullable=False),
            time("created_at"),
            number("ephemeral_gib"),
            number("swap_mib"),
            truth("enabled"),
            self._unique("flavors", "id"),
            self._unique("flavors", "name"),
        )

    def _images(self) -> None:
        self.images = self._table(
            "images",
            uuid("id"),
            name("project_id"),
            name("name"),
            word("disk_format"),
            number("size_bytes"),
            number("virtual_size_bytes"),
            word("sha256"),
            number("min_disk_gib"),
            number("min_ram_mib"),
            Column("location", TEXT, nullable=False),
            Column("properties", JSON, nullable=False),
            time("created_at"),
            self._unique("images", "id"),
            self._unique("images", "name"),
        )

    def _hosts(self) -> None:
        self.hosts = self._table(
            "hosts",
            uuid("id"),
            uuid("hypervisor_uuid"),
            name("name"),
            name("connection_uri"),
            number("vcpus"),
            number("memory_mib"),
            number("disk_gib"),
            ratio("vcpu_ratio"),
            ratio("memory_ratio"),
            ratio("disk_ratio"),
            name("zone"),
            truth("enabled"),
            name("disabled_reason", nullable=True),
            number("claim_serial"),
            time("created_at"),
            truth("draining"),
            Column("traits", JSON, nullable=False),
            word("hypervisor_type", nullable=True),
            word("architecture", nullable=True),
            name("address", nullable=True),
            self._unique("hosts", "id"),
            self._unique("hosts", "name"),
            self._unique("hosts", "connection_uri"),
        )

    def _networks(self) -> None:
        self.networks = self._table(
            "networks",
            uuid("id"),
            name("name"),
            word("kind"),
            word("cidr"),
            word("gateway"),
            name("bridge", nullable=True),
            time("created_at"),
            name("libvirt_network", nullable=True),
            word("pool_first", nullable=True),
            word("pool_last", nullable=True),
            Column("dns", JSON, nullable=False),
            self._unique("networks", "id"),
            self._unique("networks", "name"),
        )
        self.network_hosts = self._table(
            "network_hosts",
            uuid("network_id", self._to("networks")),
            uuid("host_id", self._to("hosts")),
            self._unique("network_hosts", "network_id", "host_id"),
            self._index("network_hosts", "host_id"),
        )

    def _keys(self) -> None:
        self.key_pairs = self._table(
            "key_pairs",
            uuid("id"),
            name("user_id"),
            name("name"),
            Column("public_key", TEXT, nullable=False),
            name("fingerprint"),
            time("created_at"),
            self._unique("key_pairs", "id"),
            self._unique("key_pairs", "user_id", "name"),
        )

    def _tokens(self) -> None:
        self.tokens = self._table(
            "tokens",
            uuid("id"),
            name("name"),
            word("digest"),
            name("project_id"),
            name("user_id"),
            Column("roles", JSON, nullable=False),
            time("expires_at", nullable=True),
            time("created_at"),
            self._unique("tokens", "id"),
            self._unique("tokens", "name"),
            self._unique("tokens", "digest"),
        )

    def _security_groups(self) -> None:
        self.security_groups = self._table(
            "security_groups",
            uuid("id"),
            name("project_id"),
            name("name"),
            name("description"),
            time("created_at"),
            self._unique("security_groups", "id"),
            self._unique("security_groups", "project_id", "name"),
        )
        self.security_group_rules = self._table(
            "security_group_rules",
            uuid("id"),
            uuid("group_id", self._to("security_groups")),
            word("direction"),
            word("ethertype"),
            word("protocol", nullable=True),
            number("port_range_min", nullable=True),
            number("port_range_max", nullable=True),
            word("remote_ip_prefix", nullable=True),
            uuid("remote_group_id", self._to("security_groups"), nullable=True),
            time("created_at"),
            self._unique("security_group_rules", "id"),
            self._index("security_group_rules", "group_id"),
            self._index("security_group_rules", "remote_group_id"),
        )

    def _server_groups(self) -> None:
        self.server_groups = self._table(
            "server_groups",
            uuid("id"),
            name("project_id"),
            name("user_id"),
            name("name"),
            word("policy"),
            number("max_server_per_host", nullable=True),
            number("serial"),
            time("created_at"),
            self._unique("server_groups", "id"),
            self._unique("server_groups", "project_id", "name"),
        )

    def _projects(self) -> None:
        self.projects = self._table(
            "projects",
            name("id"),
            number("serial"),
            self._unique("projects", "id"),
        )
        self.quotas = self._table(
            "quotas",
            name("project_id"),
            word("resource"),
            number("hard_limit"),
            self._unique("quotas", "project_id", "resource"),
        )
