"""Instances of one request: alike, but for their names and for the ids of what is made for them."""

from dataclasses import dataclass
from typing import Self

from vmwright.errors import InvalidRequest
from vmwright.ids import InstanceId, PortId, VolumeId, new_id
from vmwright.request import CreateRequest
from vmwright.spec import Spec, hostname_of

_LONGEST_NAME, _LONGEST_LABEL = 255, 63


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A request, with the key by which it is known again."""

    request: CreateRequest
    key: str
    is_ours: bool
    """Whether the key was made here, for the tries of one call: nobody else has it."""

    @classmethod
    def of(cls, request: CreateRequest) -> Self:
        """With one key for all tries: where the answer to a commit is lost, the next try finds the
        build that was stored, and does not store another one."""
        key = request.idempotency_key
        return cls(request=request, key=key or f"once-{new_id()}", is_ours=key is None)


def single(request: CreateRequest) -> CreateRequest:
    """The request, if it is for one instance: one operation builds one."""
    if request.count > 1:
        raise InvalidRequest(
            f"{request.count} instances are asked for, and one operation builds one",
            hint="use create_all or submit_all",
        )
    return request


def names_of(request: CreateRequest) -> list[str]:
    """One name for each instance that is wanted; numbers are added if there are several."""
    if request.count == 1:
        return [request.name]
    longest = _LONGEST_NAME - len(f"-{request.count}")
    if len(request.name) > longest:
        raise InvalidRequest(
            f"name: {request.count} instances get their number behind the name, "
            f"which may then have at most {longest} characters"
        )
    return [f"{request.name}-{number}" for number in range(1, request.count + 1)]


def individual(
    spec: Spec, instance: InstanceId, name: str, number: int, request: CreateRequest
) -> Spec:
    """The spec of one of several: `number` counts from 0."""
    several = request.count > 1
    volumes = tuple(
        volume
        if volume.source == "existing"
        else volume.changed(
            volume=VolumeId(new_id()),
            name=_volume_name(volume.name, name, place, number if several else None),
        )
        for place, volume in enumerate(spec.volumes, 1)
    )
    nics = tuple(nic if nic.given else nic.changed(port=PortId(new_id())) for nic in spec.nics)
    return spec.changed(
        name=name,
        hostname=request.hostname or _hostname(request, instance, number),
        launch_index=number,
        volumes=volumes,
        nics=nics,
    )


def _volume_name(asked: str, instance: str, place: int, number: int | None) -> str:
    """What was asked for, with a number if there are several of it; else after its instance."""
    if not asked:
        return _with_suffix(instance, f"-volume-{place}")
    return asked if number is None else _with_suffix(asked, f"-{number + 1}")


def _with_suffix(name: str, suffix: str) -> str:
    return f"{name[: _LONGEST_NAME - len(suffix)].rstrip()}{suffix}"


def _hostname(request: CreateRequest, instance: InstanceId, number: int) -> str:
    """The number is kept whole, whatever the length of the name."""
    if request.count == 1:
        return hostname_of(request.name, instance)
    suffix = f"-{number + 1}"
    label = hostname_of(request.name, instance)[: _LONGEST_LABEL - len(suffix)]
    return f"{label.rstrip('-')}{suffix}"
