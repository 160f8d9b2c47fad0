"""Images: taken in, looked at, changed and deleted."""

from fastapi import APIRouter
from pydantic import Field

from vmwright.api.identity import Speaking
from vmwright.api.names import NameOrId
from vmwright.inventory.wishes import ImageProperties
from vmwright.request.model import Model
from vmwright.resources.image import Image

router = APIRouter(prefix="/images", tags=["images"])


class ImageChange(Model):
    """Properties that an image gets, and those that it loses."""

    properties: ImageProperties = Field(default_factory=dict)
    without: tuple[str, ...] = ()


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
