"""Volumes are made before their images are looked for."""

from types import SimpleNamespace
from typing import Any

import pytest

from vmwright.errors import Refused
from vmwright.ids import DeploymentId, base_name, new_id
from vmwright.tasks.image import base_of, make_with_bases

DEPLOYMENT = DeploymentId(new_id())
IMAGE: Any = SimpleNamespace(
    sha256="5" * 64, disk_format="raw", location="image", size_bytes=1, virtual_size_bytes=1
)
NAME = base_name(DEPLOYMENT, IMAGE.sha256, IMAGE.disk_format)


class Pool:
    """One in which another build has stored the image just after ours has missed it."""

    def __init__(self, *, is_full: bool) -> None:
        self.is_full = is_full
        self.said: list[str] = []

    def ensure_base(self, *_: object) -> None:
        self.said.append("image")

    def ensure_volume(self, *_: object) -> None:
        self.said.append("volume")
        if self.is_full or len(self.said) == 1:
            raise Refused("not now")

    def volumes(self, _wait: object) -> list[Any]:
        return [SimpleNamespace(name=NAME, whole=True)]


def make(pool: Pool) -> None:
    run: Any = SimpleNamespace(wait=None, mark=SimpleNamespace(deployment=DEPLOYMENT))
    store: Any = SimpleNamespace(path=lambda location: location)
    volume: Any = SimpleNamespace(base=base_of(IMAGE))
    place: Any = pool
    make_with_bases(run, store, place, [IMAGE], [volume])


def test_image_that_another_build_has_brought_meanwhile_is_used() -> None:
    pool = Pool(is_full=False)
    make(pool)
    assert pool.said == ["volume", "image", "volume"]


def test_what_is_refused_for_another_reason_is_refused() -> None:
    with pytest.raises(Refused, match="not now"):
        make(Pool(is_full=True))
