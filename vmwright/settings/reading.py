"""Reads the configuration with oslo.config."""

import os
from pathlib import Path
from typing import Any

import platformdirs
from oslo_config import cfg

from vmwright.errors import InvalidRequest
from vmwright.limits import QuotaSettings
from vmwright.settings.options import OPTIONS
from vmwright.settings.values import (
    ApiSettings,
    AuditSettings,
    CallerSettings,
    DatabaseSettings,
    HookSettings,
    LibvirtSettings,
    OperationSettings,
    SchedulerSettings,
    ServiceSettings,
    Settings,
    SimulatedSettings,
)

_APP = "vmwright"
_CONFIG_VARIABLE = "VMWRIGHT_CONFIG"


def read(config_file: str | None) -> Settings:
    """As `Settings.from_files`."""
    conf = cfg.ConfigOpts()
    for group, options in OPTIONS.items():
        conf.register_opts(options, group=None if group == "DEFAULT" else group)
    files = _config_files(config_file)
    try:
        conf([], project=_APP, default_config_files=files, default_config_dirs=[])
        settings = _settings(conf)
        _refuse_slow_server(settings)
        return settings
    except (cfg.Error, ValueError) as error:
        raise InvalidRequest(
            f"configuration {', '.join(files) or 'defaults'}: {error}",
            hint="see docs/reference/configuration.md for every setting",
        ) from error


def _refuse_slow_server(settings: Settings) -> None:
    """A process that waits for its server beyond its lease has lost what it runs meanwhile."""
    timeout, lease = settings.database.timeout, settings.operations.lease
    is_file = settings.database.connection.startswith("sqlite")
    if not is_file and timeout >= lease:
        raise ValueError(
            f"[database] timeout ({timeout:g} s) must be smaller than [operations] lease "
            f"({lease:g} s): lower the timeout, or raise the lease"
        )


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
        api=_api(conf),
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


def _api(conf: cfg.ConfigOpts) -> ApiSettings:
    values = _values(conf, "api")
    return ApiSettings(**values | {"allowed_hosts": tuple(values["allowed_hosts"])})


def _scheduler(conf: cfg.ConfigOpts) -> SchedulerSettings:
    values = _values(conf, "scheduler")
    values["enabled_filters"] = tuple(values["enabled_filters"])
    values["default_schedule_zone"] = values["default_schedule_zone"] or None
    return SchedulerSettings(**values)


def _values(conf: cfg.ConfigOpts, group: str) -> dict[str, Any]:
    return {option.dest: conf[group][option.dest] for option in OPTIONS[group]}
