"""What a user asks for of the network."""

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, model_validator
from pydantic import Tag as Kind

from vmwright.request.fields import Ip, Mac, NameOrId, Tag
from vmwright.request.model import Model


class NetworkRequest(Model):
    """One interface: a network by name or id with wishes for its addresses, or a port."""

    network: NameOrId | None = None
    port: NameOrId | None = None
    """One that was made before: it has its network and addresses, and outlives the instance."""
    ip: Ip | None = None
    mac: Mac | None = None
    tag: Tag | None = None
    """What the guest finds the interface by, on its config drive."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.port is None and self.network is None:
            raise ValueError("say a network, or a port")
        if self.port is not None and (self.network or self.ip or self.mac):
            raise ValueError("a port has its network and addresses already")
        return self


def _kind(value: object) -> str:
    return "<word" if isinstance(value, str) else "<list"


Networks = Annotated[
    Annotated[tuple[NetworkRequest, ...], Field(max_length=16), Kind("<list")]
    | Annotated[Literal["auto", "none"], Kind("<word")],
    Discriminator(_kind),
]
"""Interfaces in order; ``auto`` takes the only network that there is."""


def refuse_doubles(networks: tuple[NetworkRequest, ...]) -> None:
    """Raise `ValueError` if two interfaces want the same thing."""
    wishes: dict[str, list[object]] = {
        "ip": [(nic.network, nic.ip) for nic in networks if nic.ip],
        "mac": [nic.mac for nic in networks if nic.mac],
        "port": [nic.port for nic in networks if nic.port],
        "tag": [nic.tag for nic in networks if nic.tag],
    }
    for what, wanted in wishes.items():
        if len(set(wanted)) != len(wanted):
            raise ValueError(f"the same {what} is asked for twice")
