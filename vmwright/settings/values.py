"""The settings, as frozen values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vmwright.limits import QuotaSettings


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    connection: str = field(repr=False)
    """Often with a password."""
    table_prefix: str = "vmwright_"
    timeout: float = 10.0


@dataclass(frozen=True, kw_only=True)
class LibvirtSettings:
    connection_uri: str = "qemu:///system"
    virt_type: str = "auto"
    pool_dir: str = "/var/lib/libvirt/vmwright"
    call_deadline: float = 60.0
    circuit_rest: float = 5.0
    connections_per_host: int = 4
    starts_per_host: int = 4


@dataclass(frozen=True, kw_only=True)
class SimulatedSettings:
    world_dir: Path
    host: str = "host1"
    latency: str = "0"
    faults: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class OperationSettings:
    lease: float = 15.0
    deadline: float = 300.0
    patience: float = 60.0
    undo_deadline: float = 30.0
    undo_tries: int = 5
    undo_backoff: float = 1.0
    late_effect: float = 90.0
    max_attempts: int = 3
    takeovers: int = 10
    parallel: int = 4
    threads_per_host: int = 4
    slow_after: float = 10.0
    keep: float = 90.0


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """Of a process that runs whatever its store holds."""

    run: bool = True
    upkeep: bool = True
    workers: int = 1
    poll_interval: float = 1.0
    stop_timeout: float = 60.0
    log_format: str = "text"


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """Of the HTTP API of a service."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = 8765
    metrics: str = "token"
    allowed_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    interval: float = 600.0
    repair: bool = True
    minimum_age: float = 3600.0
    base_age: float = 86400.0
    stale_after: float = 3600.0


@dataclass(frozen=True, kw_only=True)
class CallerSettings:
    project: str = "default"
    user: str = "admin"
    roles: tuple[str, ...] = ("admin", "member", "reader")


@dataclass(frozen=True, kw_only=True)
class HookSettings:
    pre_create: tuple[str, ...] = ()
    post_create: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SchedulerSettings:
    enabled_filters: Sequence[str] = (
        "enabled",
        "retry",
        "zone",
        "capacity",
        "image_properties",
        "traits",
        "network_location",
        "volume_location",
        "same_host",
        "different_host",
        "server_group",
        "near_address",
        "json_query",
    )
    weight_multipliers: Mapping[str, float] = field(
        default_factory=lambda: {
            "ram": 1.0,
            "cpu": 1.0,
            "disk": 1.0,
            "builds_in_progress": 1.0,
            "soft_affinity": 1.0,
            "soft_anti_affinity": 1.0,
            "build_failure": 100.0,
        }
    )
    placement: str = "spread"
    failure_window: float = 3600.0
    default_availability_zone: str = "nova"
    default_schedule_zone: str | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a `Controller` is built from. `from_files` reads it; embedders may also construct it."""

    backend: str
    state_dir: Path
    database: DatabaseSettings
    simulated: SimulatedSettings
    libvirt: LibvirtSettings = field(default_factory=LibvirtSettings)
    operations: OperationSettings = field(default_factory=OperationSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    service: ServiceSettings = field(default_factory=ServiceSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    caller: CallerSettings = field(default_factory=CallerSettings)
    hooks: HookSettings = field(default_factory=HookSettings)
    policy_file: Path | None = None
    quota: QuotaSettings = field(default_factory=QuotaSettings)
    scheduler: SchedulerSettings = field(default_factory=SchedulerSettings)
    reconcile_interval: float = 5.0
    power_state_interval: float = 30.0
    max_image_gib: int = 1024

    @classmethod
    def from_files(cls, config_file: str | None = None) -> "Settings":
        """Read the configuration: the named file, else `VMWRIGHT_CONFIG`, else the user's and
        the system's; without any, SQLite in the user's data directory and the local libvirt.

        Raises `InvalidRequest` that names the file and the option.
        """
        # oslo.config is loaded for those only who have files to read.
        from vmwright.settings.reading import read

        return read(config_file)
