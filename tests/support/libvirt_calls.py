"""What a process asks of libvirt's daemons, seen where libvirt-python enters libvirt."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import libvirt
import libvirtmod
import pytest

_OWN = (
    "virEvent",
    "virStreamNew",
    "virStreamFree",
    "virDomainGetID",
    "virDomainGetUUID",
    "virDomainGetName",
    "virNetworkGetUUID",
    "virNetworkGetName",
    "virStorageVolGetKey",
    "virConnectIsAlive",
    "virConnectSetKeepAlive",
    "virConnectClose",
    "virGetLastError",
    "virStreamSend",
    "virStreamRecv",
)
"""What libvirt answers without its daemon, and the messages of a stream."""


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Every call to a daemon that this process makes inside, by the name of libvirt's function."""
    calls: Counter[str] = Counter()
    lock = threading.Lock()

    def counting(name: str) -> Callable[..., Any]:
        function = getattr(libvirtmod, name)

        def call(*arguments: Any) -> Any:
            with lock:
                calls[name] += 1
            return function(*arguments)

        return call

    names = [name for name in dir(libvirtmod) if name.startswith("vir")]
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            if not name.startswith(_OWN) and not name.endswith("Free"):
                patch.setattr(libvirtmod, name, counting(name))
        yield calls


@contextmanager
def uploads_told(file: Path) -> Iterator[None]:
    """Streams into volumes, of this process and of those that it forks inside: a line each in
    the file, with the name of the volume and the number of bytes."""
    upload = libvirt.virStorageVol.upload

    def told(volume: Any, stream: Any, offset: int, length: int, flags: int = 0) -> Any:
        with file.open("a") as lines:
            lines.write(f"{volume.name()} {length}\n")
        return upload(volume, stream, offset, length, flags)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(libvirt.virStorageVol, "upload", told)
        yield
