"""What a user asks for: one set of models for every way in."""

from vmwright.request.block_devices import BlockDevice, LegacyDevice, VolumeRequest
from vmwright.request.create import CreateRequest, InjectedFile
from vmwright.request.hints import SchedulerHints
from vmwright.request.networks import NetworkRequest

__all__ = [
    "BlockDevice",
    "CreateRequest",
    "InjectedFile",
    "LegacyDevice",
    "NetworkRequest",
    "SchedulerHints",
    "VolumeRequest",
]
