"""The files of the page, as they are sent."""

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vmwright.views.svg_marks import MARKS
from vmwright.web.colours import style_sheet

_PAGE = Path(__file__).parent / "page"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Kinds of files that are sent. Licences and notes only lie beside them."""

_INDEX = "index.html"
_WORTH_IT = 512
"""Bytes from which a file is sent compressed."""


@dataclass(frozen=True)
class File:
    """What is sent, and as what."""

    body: bytes
    media_type: str

    @cached_property
    def digest(self) -> str:
        """The same for the same bytes, and for no others."""
        return hashlib.sha256(self.body).hexdigest()[:20]

    @cached_property
    def compressed(self) -> bytes | None:
        """With gzip; None where that gains nothing."""
        return gzip.compress(self.body, 9, mtime=0) if len(self.body) >= _WORTH_IT else None


class Files:
    """Read once. `edition` is another one whenever a file is, so that browsers may keep them."""

    def __init__(self) -> None:
        self.by_name: Mapping[str, File] = dict(_read())
        together = "".join(f"{name} {file.digest}\n" for name, file in self.by_name.items())
        self.edition = hashlib.sha256(together.encode()).hexdigest()[:12]

    def index(self) -> File:
        """What every address of the page begins with: it names the others in this edition."""
        file = self.by_name[_INDEX]
        return File(file.body.replace(b"{edition}", self.edition.encode()), file.media_type)


def _read() -> Iterator[tuple[str, File]]:
    for path in sorted(_PAGE.rglob("*")):
        media_type = _MEDIA_TYPES.get(path.suffix)
        if media_type is not None:
            yield path.relative_to(_PAGE).as_posix(), File(path.read_bytes(), media_type)
    # What the pictures have too comes from where they have it.
    yield "style/palette.css", File(style_sheet().encode(), _MEDIA_TYPES[".css"])
    marks = json.dumps({state.value: path for state, path in MARKS.items()})
    yield "drawn.mjs", File(f"export const TASK_MARKS = {marks};\n".encode(), _MEDIA_TYPES[".mjs"])
