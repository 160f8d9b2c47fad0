"""Images: taken in, looked at, changed and deleted."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import Field

from vmwright.api.events import STREAMED
from vmwright.api.identity import Speaking
from vmwright.api.names import NameOrId
from vmwright.api.problems import problem_of
from vmwright.api.uploads import received
from vmwright.controller import Controller
from vmwright.errors import InvalidRequest, VmwrightError
from vmwright.inventory.wishes import ImageProperties, NewImage
from vmwright.progress import Progress
from vmwright.request.model import Model
from vmwright.resources.image import Image
from vmwright.waiting import Wait

router = APIRouter(prefix="/images", tags=["images"])

_GIB = 2**30
_PATIENCE = 3600.0
"""Seconds: an image is read, hashed and copied whole."""
_STREAM = "text/event-stream"
_BODY = {
    "requestBody": {
        "required": True,
        "description": "The bytes of the image.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "How far taking it in is, if that was asked for by `Accept`: events "
        "`progress` with `fraction` and `note`, then one `image` or one `problem`.",
        "content": {_STREAM: {"schema": {"type": "string"}}},
    },
}


class ImageChange(Model):
    """Properties that an image gets, and those that it loses."""

    properties: ImageProperties = Field(default_factory=dict)
    without: tuple[str, ...] = ()


@router.post("", status_code=201, response_model=Image, responses=_ANSWERS, openapi_extra=_BODY)
async def create_image(
    controller: Speaking,
    request: Request,
    name: str,
    disk_format: Annotated[
        Literal["raw", "qcow2"] | None, Query(description="By default what its bytes say.")
    ] = None,
    min_disk_gib: int = 0,
    min_ram_mib: int = 0,
    property: Annotated[Sequence[str], Query(description="``KEY=VALUE``; repeat it.")] = (),
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Take an image in: its bytes are the body. It is inspected, hashed and copied."""
    wish = NewImage.parse(
        name=name,
        min_disk_gib=min_disk_gib,
        min_ram_mib=min_ram_mib,
        properties=_properties(property),
    )
    await asyncio.to_thread(controller.inventory.refuse_image, wish.name)
    taking = _Taking(controller, wish, disk_format)
    limit = controller.settings.max_image_gib * _GIB
    async with AsyncExitStack() as stack:
        file = await stack.enter_async_context(
            received(request, controller.settings.state_dir, limit)
        )
        if _STREAM in accept:
            told = taking.told(file, stack.pop_all())
            return StreamingResponse(told, media_type=_STREAM, headers=STREAMED)
        image = await asyncio.to_thread(taking.run, file)
        return JSONResponse(image.model_dump(mode="json"), 201)


@router.get("")
def list_images(controller: Speaking) -> list[Image]:
    """Every image, oldest first."""
    return [Image.model_validate(one) for one in controller.inventory.images()]


@router.get("/{image}")
def show_image(controller: Speaking, image: NameOrId) -> Image:
    """One image."""
    return Image.model_validate(controller.inventory.image(image))


@router.patch("/{image}")
def change_image(controller: Speaking, image: NameOrId, body: ImageChange) -> Image:
    """Give an image properties, or drop them; later builds follow them."""
    changed = controller.inventory.set_image_properties(
        image, body.properties, without=body.without
    )
    return Image.model_validate(changed)


@router.delete("/{image}", status_code=204)
def delete_image(controller: Speaking, image: NameOrId) -> None:
    """Forget an image that no instance and no volume needs, here and on every host."""
    controller.inventory.delete_image(image)


class _Taking:
    """An image that is being taken in, once its bytes are here."""

    def __init__(self, controller: Controller, wish: NewImage, disk_format: str | None) -> None:
        self._inventory = controller.inventory
        self._wish = wish
        self._format = disk_format
        self._left = threading.Event()
        self._progress = Progress(fraction=0.0)

    def run(self, file: Path) -> Image:
        """In a thread: it reads all of it."""
        wait = Wait(_PATIENCE, cancelled=self._left, report=self._report)
        made = self._inventory.create_image(
            disk_format=self._format, source=file, wait=wait, **self._wish.model_dump()
        )
        return Image.model_validate(made)

    async def told(self, file: Path, stack: AsyncExitStack) -> AsyncIterator[str]:
        """How far it is, and what has become of it. Whoever leaves does not want it."""
        async with stack:
            running = asyncio.ensure_future(asyncio.to_thread(self.run, file))
            try:
                last: Progress | None = None
                while not running.done():
                    await asyncio.wait([running], timeout=0.2)
                    if self._progress != last:
                        last = self._progress
                        yield _message("progress", last.to_store())
                try:
                    yield _message("image", running.result().model_dump(mode="json"))
                except VmwrightError as error:
                    yield _message("problem", problem_of(error))
            finally:
                self._left.set()
                await asyncio.wait([running])

    def _report(self, progress: Progress) -> None:
        self._progress = progress


def _message(kind: str, value: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n"


def _properties(given: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    if not all(between for _, between, _ in pairs):
        raise InvalidRequest("property: write KEY=VALUE")
    if len({key for key, _, _ in pairs}) != len(pairs):
        raise InvalidRequest("property: the same key is given twice")
    return {key: value for key, _, value in pairs}
