"""For embedders: breaks flows on purpose, and looks at what is left.

docs/how-to/testing-your-tasks.md shows how it is used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vmwright.testing.matrix import Matrix
    from vmwright.testing.stage import Stage
    from vmwright.testing.subjects import Subject
    from vmwright.testing.verdict import Caught, NotShown
    from vmwright.testing.worlds import DirectoryWorld, Occupiable, Severable, World

__all__ = [
    "Caught",
    "DirectoryWorld",
    "Matrix",
    "NotShown",
    "Occupiable",
    "Severable",
    "Stage",
    "Subject",
    "World",
]

_HOMES = {
    "Caught": "verdict",
    "DirectoryWorld": "worlds",
    "Matrix": "matrix",
    "NotShown": "verdict",
    "Occupiable": "worlds",
    "Severable": "worlds",
    "Stage": "stage",
    "Subject": "subjects",
    "World": "worlds",
}
"""Where each name is; imported when it is asked for: pytest loads this package with every run."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vmwright.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"vmwright.testing.{_HOMES[name]}"), name)
