"""Names of things as parts of paths. A name may hold a slash: as %2F it is no end of a part."""

from typing import Annotated
from urllib.parse import unquote

from fastapi import Path
from pydantic import AfterValidator
from starlette.types import ASGIApp, Receive, Scope, Send

_STANDS_FOR_SLASH = "\0"
"""Nothing has it in its name."""


class EscapedSlashes:
    """Keeps a slash that is part of a name apart from those between names."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope.get("raw_path")
        if raw is not None and b"%2f" in raw.lower():
            scope = {**scope, "path": _decoded(raw)}
        await self._application(scope, receive, send)


def _decoded(raw: bytes) -> str:
    parts = raw.decode("latin-1").partition("?")[0].split("/")
    return "/".join(unquote(part).replace("/", _STANDS_FOR_SLASH) for part in parts)


def _meant(text: str) -> str:
    return text.replace(_STANDS_FOR_SLASH, "/")


NameOrId = Annotated[
    str, Path(description="Its name, with a slash as %2F, or its id."), AfterValidator(_meant)
]
Id = Annotated[str, Path(description="Its id."), AfterValidator(_meant)]
