"""What tasks work with, as the settings name it."""

from vmwright.backends.file_images import FileImageStore, images_of
from vmwright.backends.loading import load_backend
from vmwright.ids import DeploymentId
from vmwright.persistence.stores import Stores
from vmwright.settings import Settings
from vmwright.tasks.means import Means
from vmwright.tasks.placement import Placement

_GIB = 2**30


def means_of(stores: Stores, settings: Settings, deployment: DeploymentId) -> Means:
    """The means of one process; no host is asked. Raises what `load_backend` does."""
    images = images_of(settings.state_dir, deployment)
    return Means(
        stores,
        load_backend(settings, deployment),
        FileImageStore(images, settings.max_image_gib * _GIB),
        Placement(stores, settings.scheduler),
    )
