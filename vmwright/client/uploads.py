"""Images on their way to a service, and what becomes of them there."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from vmwright.client.connection import Connection
from vmwright.client.messages import messages
from vmwright.client.problems import error_in
from vmwright.client.reading import read
from vmwright.errors import InvalidRequest, Unavailable
from vmwright.progress import Progress
from vmwright.resources.image import Image
from vmwright.waiting import Wait

_PIECE = 1 << 20
_HEADERS = {"Content-Type": "application/octet-stream", "Accept": "text/event-stream"}


def image_of(connection: Connection, source: Path, query: Mapping[str, Any], wait: Wait) -> Image:
    """Send a file as an image; `wait` is told how far sending is, and then how far the service is
    with it. `InvalidRequest` for a file that cannot be read, and whatever the service raises."""
    with _opened(source) as file:
        sent = _pieces(file, wait)
        with connection.stream(
            "images", silence=wait.remaining(), upload=sent, headers=_HEADERS, **query
        ) as answer:
            return _taken(answer, wait)


def _taken(answer: httpx.Response, wait: Wait) -> Image:
    for message in messages(answer):
        match message.kind:
            case "progress":
                wait.tell(Progress.from_store(json.loads(message.data)))
            case "image":
                return read(Image, message.data)
            case "problem":
                raise error_in(json.loads(message.data))
    raise Unavailable("the service has hung up before the image was taken in")


@contextmanager
def _opened(source: Path) -> Iterator[BinaryIO]:
    try:
        file = source.open("rb")
    except FileNotFoundError:
        raise InvalidRequest(f"{source} does not exist") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise InvalidRequest(f"{str(source)!r} cannot be read: {reason}") from error
    with file:
        yield file


def _pieces(file: BinaryIO, wait: Wait) -> Iterator[bytes]:
    size, sent = file.seek(0, 2), 0
    file.seek(0)
    while piece := file.read(_PIECE):
        wait.check("the image is sent")
        yield piece
        sent += len(piece)
        wait.moved(sent, size, "sending the image")
