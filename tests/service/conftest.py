"""One prepared deployment per session, a copy of it per test."""

from tests.unwind.conftest import lab, prepared

__all__ = ["lab", "prepared"]
