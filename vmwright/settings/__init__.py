"""Every setting, read once with oslo.config and handed on as frozen values."""

from vmwright.limits import QuotaSettings
from vmwright.settings.values import (
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

__all__ = [
    "AuditSettings",
    "CallerSettings",
    "DatabaseSettings",
    "HookSettings",
    "LibvirtSettings",
    "OperationSettings",
    "QuotaSettings",
    "SchedulerSettings",
    "ServiceSettings",
    "Settings",
    "SimulatedSettings",
]
