"""Finding what other packages add, by the names that the configuration gives."""

from collections.abc import Sequence
from importlib.metadata import EntryPoint
from typing import Any

from stevedore import named

from vmwright.errors import InvalidRequest, PackageMissing


def load_plugins(namespace: str, noun: str, names: Sequence[str]) -> list[Any]:
    """What the entry points of these names stand for, in the order of the names.

    Raises `InvalidRequest` that lists the installed names, and `PackageMissing` if a plug-in
    needs a package that is not there.
    """

    def report(_: object, entry_point: EntryPoint, error: BaseException) -> None:
        if isinstance(error, PackageMissing):
            raise error
        raise PackageMissing(
            f"{noun} {entry_point.name!r} cannot be loaded from {entry_point.value}",
            hint="install what it needs, or correct the plug-in",
        ) from error

    plugins: named.NamedExtensionManager[Any] = named.NamedExtensionManager(
        namespace,
        names,
        on_load_failure_callback=report,
        on_missing_entrypoints_callback=None,
    )
    return [_only(plugins, noun, name) for name in names]


def _only(plugins: "named.NamedExtensionManager[Any]", noun: str, name: str) -> Any:
    found = [extension.plugin for extension in plugins.extensions if extension.name == name]
    if not found:
        installed = sorted({known.name for known in plugins.list_entry_points()})
        raise InvalidRequest(
            f"{noun} {name!r} is not installed",
            hint=f"installed {noun}s: {', '.join(installed) or 'none'}",
        )
    if len(found) > 1:
        raise InvalidRequest(
            f"{noun} {name!r} is offered by more than one package",
            hint="uninstall all but one of them",
        )
    return found[0]
