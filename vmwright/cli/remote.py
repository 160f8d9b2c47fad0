"""The service that a call works through, where one is named."""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from vmwright.errors import InvalidRequest, Unauthenticated

if TYPE_CHECKING:
    from vmwright.client.client import Client

_LONGEST = 4096


@dataclass(frozen=True, kw_only=True)
class Remote:
    """An address, and where the token for it is."""

    endpoint: str
    token_file: str | None = None
    token: str | None = field(default=None, repr=False)
    """As the environment gives it."""
    insecure: bool = False
    command: str = "vmwright"
    """How a further call names the same service."""

    @classmethod
    def of(cls, options: argparse.Namespace) -> Self | None:
        """By options, or else by the environment; None where neither names a service."""
        named = getattr(options, "endpoint", None)
        endpoint = named or os.environ.get("VMWRIGHT_ENDPOINT")
        if not endpoint:
            return None
        return cls(
            endpoint=endpoint,
            token_file=getattr(options, "token_file", None),
            token=os.environ.get("VMWRIGHT_TOKEN"),
            insecure=getattr(options, "insecure", False),
            command=f"vmwright --endpoint {named}" if named else "vmwright",
        )

    def __str__(self) -> str:
        return self.endpoint

    def open(self, state_dir: Callable[[], Path]) -> "Client":
        """A client; `state_dir` is asked only where nothing else says the token."""
        from vmwright.client.client import Client

        return Client(self.endpoint, self._shown(state_dir), insecure=self.insecure)

    def _shown(self, state_dir: Callable[[], Path]) -> str:
        if self.token_file is not None:
            return _read(Path(self.token_file))
        if self.token:
            return self.token
        own = state_dir() / "token"
        if own.exists():
            return _read(own)
        raise Unauthenticated(
            f"there is no token to show to the service at {self.endpoint}",
            hint=f"give it with --token-file or VMWRIGHT_TOKEN; {str(own)!r} is not there",
        )


def _read(path: Path) -> str:
    try:
        with path.open(encoding="ascii") as file:
            return file.read(_LONGEST)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidRequest(f"token file {str(path)!r} cannot be read: {reason}") from None
