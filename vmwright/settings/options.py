"""Every option of the configuration, for oslo.config and for the reference."""

from oslo_config import cfg
from oslo_config import types as option_types

from vmwright.limits import QUOTAS, QuotaSettings
from vmwright.settings.values import SchedulerSettings

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
            help="Seconds that a server may take to answer; less than [operations] lease.",
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
        cfg.IntOpt(
            "connections_per_host",
            default=4,
            min=1,
            help="Connections that a process opens to one host, each as soon as a call is "
            "under way on every other one.",
        ),
        cfg.IntOpt(
            "starts_per_host",
            default=4,
            min=1,
            help="Guests that a process starts on one host at once; other tasks go on meanwhile.",
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
        cfg.FloatOpt(
            "keep",
            default=90.0,
            min=0.0,
            help="Days for which a service keeps the operations and the history of instances, "
            "after they were deleted; 0 keeps them for ever.",
        ),
    ],
    "service": [
        cfg.BoolOpt(
            "run",
            default=True,
            help="Operations are run here; else what is accepted here is left to others.",
        ),
        cfg.BoolOpt(
            "upkeep",
            default=True,
            help="Debts are paid, guests noticed, audits and history kept here.",
        ),
        cfg.IntOpt("workers", default=1, min=1, help="Processes that serve side by side."),
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
        cfg.StrOpt(
            "log_format",
            default="text",
            choices=("text", "json"),
            help="Lines of the service's log: for people, or a JSON object each.",
        ),
    ],
    "api": [
        cfg.BoolOpt("enabled", default=True, help="A service answers on HTTP."),
        cfg.StrOpt("host", default="127.0.0.1", help="Address that it listens on."),
        cfg.IntOpt(
            "port", default=8765, min=0, max=65535, help="Port that it listens on; 0 is any free."
        ),
        cfg.StrOpt(
            "metrics",
            default="token",
            choices=("token", "open", "off"),
            help="Who may read /metrics: callers whose token allows vmwright:metrics, everybody "
            "who reaches the port, or nobody.",
        ),
        cfg.ListOpt(
            "allowed_hosts",
            default=[],
            help="Host names under which it may be asked; without any, those of loopback if it "
            "listens there, else all.",
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
