"""What a project may have, and what a request may hold: the quotas, with their defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, kw_only=True)
class QuotaSettings:
    """What a project may have, and what a request may hold; -1 is unlimited."""

    instances: int = -1
    cores: int = -1
    ram: int = -1
    volumes: int = -1
    gigabytes: int = -1
    fixed_ips: int = -1
    injected_files: int = 5
    injected_file_path_bytes: int = 255
    injected_file_content_bytes: int = 10240
    metadata_items: int = 128
    key_pairs: int = 100
    security_groups: int = 10
    security_group_rules: int = 100
    server_groups: int = 10
    server_group_members: int = 10
    max_local_block_devices: int = 3

    def overridden(self, limits: Mapping[str, int]) -> "QuotaSettings":
        """With what was set for a project, by resource, in the place of what is configured."""
        known = {field.name for field in fields(self)}
        return replace(self, **{name: limits[name] for name in known & limits.keys()})


QUOTAS = {
    "instances": "Instances of a project.",
    "cores": "Virtual processors of a project's instances.",
    "ram": "MiB of memory of a project's instances.",
    "volumes": "Volumes of a project.",
    "gigabytes": "GiB of a project's volumes and snapshots.",
    "fixed_ips": "Addresses of a project.",
    "injected_files": "Injected files of a request.",
    "injected_file_path_bytes": "Length of an injected file's path.",
    "injected_file_content_bytes": "Length of an injected file.",
    "metadata_items": "Metadata items of an instance.",
    "key_pairs": "Key pairs of a user.",
    "security_groups": "Security groups of a project.",
    "security_group_rules": "Rules of all security groups of a project.",
    "server_groups": "Server groups of a project.",
    "server_group_members": "Instances of a server group.",
    "max_local_block_devices": "Disks of an instance that are no volumes.",
}
PROJECT_QUOTAS = tuple(name for name in QUOTAS if name != "max_local_block_devices")
"""Those that operators may set otherwise for a project."""
