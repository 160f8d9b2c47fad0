"""What a user asks for, and what the door makes of it: one set of models for every way in."""

import base64
import ipaddress
import re
import unicodedata
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from vmwright.errors import InvalidRequest
from vmwright.ids import FlavorId, ImageId, NetworkId, PortId, VolumeId

MAX_USER_DATA = 65535
"""Bytes of user data once base64 encoded (Nova's limit)."""

MAX_METADATA = 128

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_METADATA_KEY = re.compile(r"[A-Za-z0-9\-_:. ]{1,255}")
_SSH_KEY = re.compile(r"(ssh|ecdsa|sk)-[a-z0-9@.\-]+ AAAA[A-Za-z0-9+/]*={0,3}( .*)?")
_LONGEST_SSH_KEY = 16384
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _has_invisible(text: str) -> bool:
    return any(unicodedata.category(character) in _INVISIBLE for character in text)


def _name(text: str) -> str:
    if not text or len(text) > 255:
        raise ValueError(f"a name has 1 to 255 characters, this one has {len(text)}")
    if text != text.strip():
        raise ValueError("a name has no white space at its ends")
    if _has_invisible(text):
        raise ValueError("a name has no newlines, control or invisible characters")
    return text


def _mac(text: str) -> str:
    mac = text.lower().replace("-", ":")
    if not _MAC.fullmatch(mac):
        raise ValueError(f"{text!r} is not a MAC address such as 52:54:00:12:34:56")
    if int(mac[:2], 16) & 1:
        raise ValueError(f"{text!r} is a multicast address: the first byte must be even")
    if mac == "00:00:00:00:00:00":
        raise ValueError("a MAC address of zeros is not usable")
    return mac


def _ip(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 address") from None


def _user_data(content: bytes) -> bytes:
    encoded = len(base64.b64encode(content))
    if encoded > MAX_USER_DATA:
        raise ValueError(
            f"user data is limited to {MAX_USER_DATA} bytes once base64 encoded, this is {encoded}"
        )
    return content


def _metadata(items: dict[str, str]) -> dict[str, str]:
    if len(items) > MAX_METADATA:
        raise ValueError(
            f"at most {MAX_METADATA} metadata items are allowed, these are {len(items)}"
        )
    for key, value in items.items():
        if not _METADATA_KEY.fullmatch(key):
            raise ValueError(
                "a metadata key has 1 to 255 of the characters A-Z a-z 0-9 - _ : . and blank"
            )
        if len(value) > 255:
            raise ValueError(f"the value of metadata key {key!r} is longer than 255 characters")
        if "\0" in value or any(unicodedata.category(character) == "Cs" for character in value):
            raise ValueError(f"the value of metadata key {key!r} is not text")
    return items


def _key(text: str) -> str:
    key = text.strip()
    if not _SSH_KEY.fullmatch(key) or _has_invisible(key) or len(key) > _LONGEST_SSH_KEY:
        raise ValueError("an ssh key is one line such as: ssh-ed25519 AAAA... name")
    return key


Name = Annotated[str, AfterValidator(_name)]
Mac = Annotated[str, AfterValidator(_mac)]
Ip = Annotated[str, AfterValidator(_ip)]
NameOrId = Name
"""Of something that exists: what cannot be a name is refused before anything is looked up."""


class Model(BaseModel):
    """Something that users ask for; unknown fields are refused, and inputs are never repeated."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def parse(cls, **fields: Any) -> Self:
        """Build one from what a user gave; `InvalidRequest` names the field and the rule."""
        try:
            return cls(**fields)
        except ValidationError as error:
            raise InvalidRequest(explain(error)) from None


class NetworkRequest(Model):
    """One interface: a network by name or id, and wishes for its addresses."""

    network: NameOrId
    ip: Ip | None = None
    mac: Mac | None = None


class VolumeRequest(Model):
    """One volume: blank (`size`), from an image (`image`, `size`), or existing (`volume`)."""

    size: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    """GiB. May be left out for an image: then the image's own size, rounded up."""
    image: NameOrId | None = None
    volume: NameOrId | None = None
    name: Name | None = None
    delete_on_termination: bool | None = None
    """By default what is made with the instance goes with it, what was there before stays."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.volume is not None and (self.image or self.size or self.name):
            raise ValueError("an existing volume has its size and name already")
        if self.volume is None and self.image is None and self.size is None:
            raise ValueError("say size=GIB for a new volume, or volume=NAME for an existing one")
        return self


class CreateRequest(Model):
    """An instance to build. Everything named is a name or an id."""

    name: Name
    image: NameOrId
    flavor: NameOrId
    networks: tuple[NetworkRequest, ...] = Field(default=(), max_length=16)
    volumes: tuple[VolumeRequest, ...] = Field(default=(), max_length=20)
    user_data: Annotated[bytes, AfterValidator(_user_data)] | None = Field(default=None, repr=False)
    metadata: Annotated[dict[str, str], AfterValidator(_metadata)] = {}
    key: Annotated[str, AfterValidator(_key)] | None = None
    """The text of an ssh public key."""
    config_drive: bool = True
    kernel: NameOrId | None = None
    ramdisk: NameOrId | None = None
    """Images to boot from directly, instead of from the first disk."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for what in ("ip", "mac"):
            wishes = [getattr(nic, what) for nic in self.networks if getattr(nic, what)]
            pairs = (
                [(nic.network, nic.ip) for nic in self.networks if nic.ip]
                if what == "ip"
                else wishes
            )
            if len(set(pairs)) != len(pairs):
                raise ValueError(f"the same {what} is asked for twice")
        existing = [volume.volume for volume in self.volumes if volume.volume]
        if len(set(existing)) != len(existing):
            raise ValueError("the same volume is asked for twice")
        if self.ramdisk is not None and self.kernel is None:
            raise ValueError("a ramdisk needs a kernel")
        if self.user_data is not None and not self.config_drive:
            raise ValueError("user data reaches the guest by config drive only")
        return self


def explain(error: ValidationError) -> str:
    """The first thing that is wrong, without the input: that could be a secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


class ImageSpec(Model):
    """An image as it was when the request was accepted."""

    id: ImageId
    name: str
    disk_format: str
    size_bytes: int
    virtual_size_bytes: int
    sha256: str
    location: str


class NicSpec(Model):
    port: PortId
    network: NetworkId
    network_name: str
    cidr: str
    gateway: str
    ip: str | None
    mac: str | None


class VolumeSpec(Model):
    volume: VolumeId
    source: Literal["blank", "image", "existing"]
    name: str
    size_gib: int
    image: ImageSpec | None = None
    delete_on_termination: bool


class Spec(Model):
    """A request with every name resolved to an id: the input of the create flow."""

    version: Literal[1] = 1
    name: str
    hostname: str
    project: str
    image: ImageSpec
    flavor: FlavorId
    vcpus: int
    ram_mib: int
    root_gib: int
    nics: tuple[NicSpec, ...]
    volumes: tuple[VolumeSpec, ...]
    metadata: dict[str, str]
    key: str | None
    config_drive: bool
    user_data: str | None
    """The id of the secret that holds it."""
    kernel: ImageSpec | None = None
    ramdisk: ImageSpec | None = None

    def to_store(self) -> dict[str, Any]:
        return self.model_dump(mode="json")

    @classmethod
    def from_store(cls, stored: dict[str, Any]) -> Self:
        return cls.model_validate(stored)


def hostname_of(name: str, instance: str) -> str:
    """A DNS label made of an instance's name, as Nova makes it (`nova.utils.sanitize_hostname`)."""
    latin = "".join(character for character in name if ord(character) <= 0xFF)[:63]
    hyphenated = re.sub(r"[ _.]", "-", latin)
    # Nova keeps letters such as e with an acute accent: no DNS label may have them.
    label = re.sub(r"[^A-Za-z0-9-]+", "", hyphenated).lower().strip("-")
    return label or f"server-{instance}"
