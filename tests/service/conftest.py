"""One prepared deployment per session, a copy of it per test."""

from tests.unwind.conftest import hosts, lab, preloaded, prepared, prepared_with_hosts

__all__ = ["hosts", "lab", "preloaded", "prepared", "prepared_with_hosts"]
