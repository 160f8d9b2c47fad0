"""Finding a backend among the installed ones, by its name in the configuration."""

from vmwright.backends.host import Backend
from vmwright.ids import DeploymentId
from vmwright.plugins import load_plugins
from vmwright.settings import Settings

_NAMESPACE = "vmwright.backends"


def load_backend(settings: Settings, deployment: DeploymentId) -> Backend:
    """The backend that `settings` name, opened.

    Raises what `load_plugins` does, and whatever the backend raises for its own settings.
    """
    (open_backend,) = load_plugins(_NAMESPACE, "backend", [settings.backend])
    opened: Backend = open_backend(settings, deployment)
    return opened
