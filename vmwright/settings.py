"""Every setting, read once with oslo.config and handed on as frozen values."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs
from oslo_config import cfg
from oslo_config import types as option_types

from vmwright.errors import InvalidRequest
from vmwright.limits import QUOTAS, QuotaSettings

_APP = "vmwright"
_CONFIG_VARIABLE = "VMWRIGHT_CONFIG"


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


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """Of a process that runs whatever its store holds."""

    poll_interval: float = 1.0
    stop_timeout: float = 60.0


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
        conf = cfg.ConfigOpts()
        for group, options in OPTIONS.items():
            conf.register_opts(options, group=None if group == "DEFAULT" else group)
        files = _config_files(config_file)
        try:
            conf([], project=_APP, default_config_files=files, default_config_dirs=[])
            return _settings(conf)
        except (cfg.Error, ValueError) as error:
            raise InvalidRequest(
                f"configuration {', '.join(files) or 'defaults'}: {error}",
                hint="see docs/configuration.md for every setting",
            ) from error


_LIMITS = QuotaSettings()
_SCHEDULER = SchedulerSettings()

OPTIONS: dict[str, list[cfg.Opt]] = {
    "DEFAULT": [
        cfg.StrOpt("backend", default="libvirt", help="Where guests run: an entry point."),
        cfg.StrOpt(
            "state_dir",
            sample_default="~/.local/share/vmwright",
            help="Images, the key file and locks of this deployment.",
        ),
        cfg.IntOpt("max_image_gib", default=1024, min=1, help="Virtual size limit of images."),
        cfg.FloatOpt(
            "reconcile_interval", default=5.0, min=0.05, help="Seconds between two rounds."
        ),
        cfg.FloatOpt(
            "power_state_interval",
            default=30.0,
            min=0.05,
            help="Seconds between two looks at what guests do by themselves.",
        ),
        cfg.StrOpt(
            "policy_file",
            help="Rules of oslo.policy that replace the defaults; see policy.yaml.sample.",
        ),
    ],
    "database": [
        cfg.StrOpt(
            "connection",
            secret=True,
            sample_default="sqlite:///<state_dir>/vmwright.db",
            help="SQLAlchemy URL of the store.",
        ),
        cfg.Opt(
            "table_prefix",
            type=option_types.String(regex=r"^[a-z0-9_]{0,32}$"),
            default="vmwright_",
            help="What the names of our tables begin with.",
        ),
        cfg.FloatOpt(
            "timeout",
            default=10.0,
            min=1.0,
            help="Seconds that a server may take to answer; keep it below the lease.",
        ),
    ],
    "libvirt": [
        cfg.StrOpt("connection_uri", default="qemu:///system", help="libvirt URI of the host."),
        cfg.StrOpt(
            "virt_type",
            default="auto",
            choices=("auto", "kvm", "qemu"),
            help="auto takes kvm only where a probe shows that a guest runs.",
        ),
        cfg.StrOpt(
            "pool_dir",
            default="/var/lib/libvirt/vmwright",
            help="Directory on the host under which the deployment's pool lies.",
        ),
        cfg.FloatOpt(
            "call_deadline", default=60.0, min=0.1, help="Seconds one libvirt call may take."
        ),
        cfg.FloatOpt(
            "circuit_rest",
            default=5.0,
            min=0.0,
            help="Seconds a host that did not answer is left alone; up to six times that if it "
            "goes on.",
        ),
    ],
    "simulated": [
        cfg.StrOpt(
            "world_dir",
            sample_default="<state_dir>/world",
            help="Where simulated hosts lie as files.",
        ),
        cfg.StrOpt("host", default="host1", help="Name of the default host."),
        cfg.StrOpt("latency", default="0", help="Seconds per verb: a number, or verb:seconds,..."),
        cfg.ListOpt("faults", default=[], help="verb:nth:kind[:seconds],..."),
    ],
    "caller": [
        cfg.StrOpt("project", default="default", help="Whose instances the command works on."),
        cfg.StrOpt("user", default="admin", help="Who the command speaks for."),
        cfg.ListOpt(
            "roles", default=["admin", "member", "reader"], help="What policies know the user by."
        ),
    ],
    "hooks": [
        cfg.ListOpt("pre_create", default=[], help="Plug-ins that run before a build, in order."),
        cfg.ListOpt("post_create", default=[], help="Plug-ins that run once a guest runs."),
    ],
    "operations": [
        cfg.FloatOpt("lease", default=15.0, min=1.0, help="Seconds a silent owner is trusted."),
        cfg.FloatOpt("deadline", default=300.0, min=0.1, help="Seconds a task may take."),
        cfg.FloatOpt("patience", default=60.0, min=0.0, help="Seconds a silent host is asked."),
        cfg.FloatOpt("undo_deadline", default=30.0, min=0.1, help="Seconds an undo waits."),
        cfg.IntOpt("undo_tries", default=5, min=1, help="Tries of an undo before it is stuck."),
        cfg.FloatOpt("undo_backoff", default=1.0, min=0.0, help="First pause between tries."),
        cfg.FloatOpt(
            "late_effect", default=90.0, min=0.0, help="Seconds in which a lost call may land."
        ),
        cfg.IntOpt("max_attempts", default=3, min=1, help="Hosts that a build is tried on."),
        cfg.IntOpt(
            "takeovers",
            default=10,
            min=1,
            help="Processes that may die in a row while they run an operation, and get no further, "
            "before it is parked.",
        ),
        cfg.IntOpt("parallel", default=4, min=1, help="Operations run side by side."),
        cfg.IntOpt("threads_per_host", default=4, min=1, help="Tasks on one host at once."),
        cfg.FloatOpt(
            "slow_after",
            default=10.0,
            min=0.0,
            help="Seconds after which an operation whose host has not answered is not counted as "
            "one of parallel any more; twice that many may be under way.",
        ),
    ],
    "service": [
        cfg.FloatOpt(
            "poll_interval",
            default=1.0,
            min=0.05,
            help="Seconds after which the store is asked for new work at the latest.",
        ),
        cfg.FloatOpt(
            "stop_timeout",
            default=60.0,
            min=0.0,
            help="Seconds in which what runs is put down when the service is stopped; "
            "what is not is cut off then.",
        ),
    ],
    "audit": [
        cfg.FloatOpt("interval", default=600.0, min=0.05, help="Seconds between two rounds."),
        cfg.BoolOpt("repair", default=True, help="Rounds remove what is left over."),
        cfg.FloatOpt("minimum_age", default=3600.0, min=0.0, help="Seconds after its end."),
        cfg.FloatOpt("base_age", default=86400.0, min=0.0, help="Seconds unused images stay."),
        cfg.FloatOpt("stale_after", default=3600.0, min=0.0, help="Seconds work may lie idle."),
    ],
    "quota": [
        cfg.IntOpt(name, default=getattr(_LIMITS, name), min=-1, help=f"{help} -1 is unlimited.")
        for name, help in QUOTAS.items()
    ],
    "scheduler": [
        cfg.ListOpt(
            "enabled_filters",
            default=list(_SCHEDULER.enabled_filters),
            help="Rules that a host must keep, in the order in which they are asked.",
        ),
        cfg.Opt(
            "weight_multipliers",
            type=option_types.Dict(option_types.Float()),
            default=dict(_SCHEDULER.weight_multipliers),
            help="Preferences, and how much each counts. A negative one is turned round.",
        ),
        cfg.StrOpt(
            "placement",
            default="spread",
            choices=("spread", "pack"),
            help="spread prefers the emptiest host, pack the fullest that has room.",
        ),
        cfg.FloatOpt(
            "failure_window",
            default=3600.0,
            min=0.0,
            help="Seconds for which a host's failures count against it.",
        ),
        cfg.StrOpt(
            "default_availability_zone",
            default="nova",
            help="Zone of hosts that are registered without one.",
        ),
        cfg.StrOpt(
            "default_schedule_zone",
            help="Zone of instances that ask for none; without it any zone will do.",
        ),
    ],
}
"""Every option by group; the reference in the docs is written from this."""


def _config_files(named: str | None) -> list[str]:
    for chosen in (named, os.environ.get(_CONFIG_VARIABLE)):
        if chosen:
            if not Path(chosen).is_file():
                raise InvalidRequest(f"configuration file {chosen!r} does not exist")
            return [chosen]
    standard = (platformdirs.site_config_path(_APP), platformdirs.user_config_path(_APP))
    found = [directory / f"{_APP}.conf" for directory in standard]
    return [str(path) for path in found if path.is_file()]


def _settings(conf: cfg.ConfigOpts) -> Settings:
    state_dir = Path(conf.state_dir or platformdirs.user_data_path(_APP)).expanduser().absolute()
    world_dir = Path(conf.simulated.world_dir or state_dir / "world").expanduser().absolute()
    return Settings(
        backend=conf.backend,
        state_dir=state_dir,
        max_image_gib=conf.max_image_gib,
        reconcile_interval=conf.reconcile_interval,
        power_state_interval=conf.power_state_interval,
        database=DatabaseSettings(
            connection=conf.database.connection or f"sqlite:///{state_dir / 'vmwright.db'}",
            table_prefix=conf.database.table_prefix,
            timeout=conf.database.timeout,
        ),
        libvirt=LibvirtSettings(**_values(conf, "libvirt")),
        simulated=SimulatedSettings(
            world_dir=world_dir,
            host=conf.simulated.host,
            latency=conf.simulated.latency,
            faults=tuple(conf.simulated.faults),
        ),
        operations=OperationSettings(**_values(conf, "operations")),
        audit=AuditSettings(**_values(conf, "audit")),
        service=ServiceSettings(**_values(conf, "service")),
        caller=CallerSettings(
            project=conf.caller.project, user=conf.caller.user, roles=tuple(conf.caller.roles)
        ),
        hooks=HookSettings(
            pre_create=tuple(conf.hooks.pre_create), post_create=tuple(conf.hooks.post_create)
        ),
        policy_file=Path(conf.policy_file).expanduser() if conf.policy_file else None,
        quota=QuotaSettings(**_values(conf, "quota")),
        scheduler=_scheduler(conf),
    )


def _scheduler(conf: cfg.ConfigOpts) -> SchedulerSettings:
    values = _values(conf, "scheduler")
    values["enabled_filters"] = tuple(values["enabled_filters"])
    values["default_schedule_zone"] = values["default_schedule_zone"] or None
    return SchedulerSettings(**values)


def _values(conf: cfg.ConfigOpts, group: str) -> dict[str, Any]:
    return {option.dest: conf[group][option.dest] for option in OPTIONS[group]}
