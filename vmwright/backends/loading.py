"""Finding a backend among the installed ones, by its name in the configuration."""

from importlib.metadata import EntryPoint
from typing import Any

from stevedore import named

from vmwright.backends.host import Backend
from vmwright.errors import InvalidRequest, PackageMissing
from vmwright.ids import DeploymentId
from vmwright.settings import Settings

_NAMESPACE = "vmwright.backends"


def load_backend(settings: Settings, deployment: DeploymentId) -> Backend:
    """The backend that `settings` name, opened.

    Raises `InvalidRequest` that lists the installed names, `PackageMissing` if the backend needs
    a package that is not there, and whatever the backend raises for its own settings.
    """
    name = settings.backend
    plugins: named.NamedExtensionManager[Any] = named.NamedExtensionManager(
        _NAMESPACE,
        [name],
        on_load_failure_callback=_report,
        on_missing_entrypoints_callback=None,
    )
    if not plugins.extensions:
        installed = sorted({found.name for found in plugins.list_entry_points()})
        raise InvalidRequest(
            f"backend {name!r} is not installed",
            hint=f"installed backends: {', '.join(installed) or 'none'}",
        )
    if len(plugins.extensions) > 1:
        raise InvalidRequest(
            f"backend {name!r} is offered by more than one package",
            hint="uninstall all but one of them",
        )
    opened: Backend = plugins.extensions[0].plugin(settings, deployment)
    return opened


def _report(_: object, entry_point: EntryPoint, error: BaseException) -> None:
    """Turn the failed import of a plug-in into an error that names it."""
    if isinstance(error, PackageMissing):
        raise error
    raise PackageMissing(
        f"backend {entry_point.name!r} cannot be loaded from {entry_point.value}",
        hint="install what it needs, or correct the plug-in",
    ) from error
