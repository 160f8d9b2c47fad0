"""Builds virtual machines on libvirt hosts as a persisted graph of reversible tasks."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vmwright.admission import Caller
    from vmwright.client.client import Client
    from vmwright.controller import Controller
    from vmwright.errors import VmwrightError
    from vmwright.limits import QuotaSettings
    from vmwright.planning import Plan
    from vmwright.request import CreateRequest, NetworkRequest, VolumeRequest
    from vmwright.settings import (
        DatabaseSettings,
        HookSettings,
        LibvirtSettings,
        OperationSettings,
        SchedulerSettings,
        Settings,
        SimulatedSettings,
    )

__all__ = [
    "Caller",
    "Client",
    "Controller",
    "CreateRequest",
    "DatabaseSettings",
    "HookSettings",
    "LibvirtSettings",
    "NetworkRequest",
    "OperationSettings",
    "Plan",
    "QuotaSettings",
    "SchedulerSettings",
    "Settings",
    "SimulatedSettings",
    "VmwrightError",
    "VolumeRequest",
]

_HOMES = {
    "Caller": "admission",
    "Client": "client.client",
    "Controller": "controller",
    "CreateRequest": "request",
    "DatabaseSettings": "settings",
    "HookSettings": "settings",
    "LibvirtSettings": "settings",
    "NetworkRequest": "request",
    "OperationSettings": "settings",
    "Plan": "planning",
    "QuotaSettings": "limits",
    "SchedulerSettings": "settings",
    "Settings": "settings",
    "SimulatedSettings": "settings",
    "VmwrightError": "errors",
    "VolumeRequest": "request",
}
"""Where each public name is; imported when it is asked for, so that the command starts fast."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vmwright' has no attribute {name!r}")
    return getattr(importlib.import_module(f"vmwright.{_HOMES[name]}"), name)
