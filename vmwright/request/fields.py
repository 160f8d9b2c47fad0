"""The values that requests are made of, each with its rule. Limits that operators set are not
here: the door checks them."""

import base64
import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any

from oslo_utils import strutils
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

MAX_USER_DATA = 65535
"""Bytes of user data once base64 encoded (Nova's limit)."""

MAX_TAGS, LONGEST_TAG = 50, 60

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_METADATA_KEY = re.compile(r"[A-Za-z0-9\-_:. ]{1,255}")
_SSH_KEY = re.compile(r"(ssh|ecdsa|sk)-[a-z0-9@.\-]+ AAAA[A-Za-z0-9+/]*={0,3}( .*)?")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LONGEST_SSH_KEY = 16384
_LONGEST_HOSTNAME = 255
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def has_invisible(text: str) -> bool:
    # Nothing that is printable is invisible; what is not may be a space of some other width.
    return not text.isprintable() and any(
        unicodedata.category(character) in _INVISIBLE for character in text
    )


def is_text(value: str) -> bool:
    """Whether every database can hold it, and every document."""
    return "\0" not in value and not any(unicodedata.category(c) == "Cs" for c in value)


def _name(text: str) -> str:
    if not text or len(text) > 255:
        raise ValueError(f"a name has 1 to 255 characters, this one has {len(text)}")
    if text != text.strip():
        raise ValueError("a name has no white space at its ends")
    if has_invisible(text):
        raise ValueError("a name has no newlines, control or invisible characters")
    return text


def _description(text: str) -> str:
    if len(text) > 255:
        raise ValueError(f"a description has at most 255 characters, this one has {len(text)}")
    if not is_text(text):
        raise ValueError("a description is text")
    return text


def _hostname(text: str) -> str:
    if not 2 <= len(text) <= _LONGEST_HOSTNAME:
        raise ValueError(
            f"a hostname has 2 to {_LONGEST_HOSTNAME} characters, this one has {len(text)}"
        )
    if not all(_LABEL.fullmatch(label) for label in text.split(".")):
        raise ValueError(
            "a hostname is made of labels of 1 to 63 letters, digits and hyphens, "
            "with a letter or digit at both ends"
        )
    return text.lower()


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


def _ip6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv6 address") from None


def _content(value: object, info: ValidationInfo) -> object:
    """Bytes, or text that stands for them: JSON has no bytes, and holds them as base64."""
    if not isinstance(value, str):
        return value
    try:
        if info.mode == "json":
            return base64.b64decode(value.replace("-", "+").replace("_", "/"), validate=True)
        return value.encode()
    except ValueError:
        wanted = "base64" if info.mode == "json" else "text"
        raise ValueError(f"the content cannot be decoded: it is not {wanted}") from None


def _user_data(content: bytes) -> bytes:
    encoded = len(base64.b64encode(content))
    if encoded > MAX_USER_DATA:
        raise ValueError(
            f"user data is limited to {MAX_USER_DATA} bytes once base64 encoded, this is {encoded}"
        )
    return content


def _metadata(items: Mapping[str, str]) -> Mapping[str, str]:
    for key, value in items.items():
        if not _METADATA_KEY.fullmatch(key):
            raise ValueError(
                "a metadata key has 1 to 255 of the characters A-Z a-z 0-9 - _ : . and blank"
            )
        if len(value) > 255:
            raise ValueError(f"the value of metadata key {key!r} is longer than 255 characters")
        if not is_text(value):
            raise ValueError(f"the value of metadata key {key!r} is not text")
    return items


def _ssh_key(text: str) -> str:
    key = text.strip()
    if not _SSH_KEY.fullmatch(key) or has_invisible(key) or len(key) > _LONGEST_SSH_KEY:
        raise ValueError("an ssh key is one line such as: ssh-ed25519 AAAA... name")
    return key


def _tag(text: str) -> str:
    if not 1 <= len(text) <= LONGEST_TAG:
        raise ValueError(f"a tag has 1 to {LONGEST_TAG} characters, this one has {len(text)}")
    if has_invisible(text) or "," in text or "/" in text:
        raise ValueError("a tag has no comma, no slash and no invisible characters")
    return text


def _truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    try:
        return bool(strutils.bool_from_string(value, strict=True))
    except ValueError:
        raise ValueError("this is neither true nor false") from None


def _number(value: object) -> object:
    # Python takes True for 1.
    if isinstance(value, bool):
        raise ValueError("this is true or false, and no number")
    return value


def unique(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """The items in their order, each once."""
    return tuple(dict.fromkeys(items))


Name = Annotated[str, AfterValidator(_name)]
NameOrId = Name
"""Of something that exists: what cannot be a name is refused before anything is looked up."""
Description = Annotated[str, AfterValidator(_description)]
Hostname = Annotated[str, AfterValidator(_hostname)]
Mac = Annotated[str, AfterValidator(_mac)]
Ip = Annotated[str, AfterValidator(_ip)]
Ip6 = Annotated[str, AfterValidator(_ip6)]
Content = Annotated[bytes, BeforeValidator(_content)]
UserData = Annotated[Content, AfterValidator(_user_data)]
Metadata = Annotated[dict[str, str], AfterValidator(_metadata)]
SshKey = Annotated[str, AfterValidator(_ssh_key)]
Tag = Annotated[str, AfterValidator(_tag)]
Truth = Annotated[bool, BeforeValidator(_truth)]
"""A truth value, or a word for one."""
Whole = Annotated[int, BeforeValidator(_number)]
Gib = Annotated[Whole, Field(ge=1, le=2**31 - 1)]
"""A size in GiB, or in MiB for swap, as Nova has it."""
