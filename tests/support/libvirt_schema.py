"""libvirt's own schema of a guest: what a daemon holds definitions against when it validates."""

from functools import cache
from pathlib import Path

from lxml import etree

_SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")


def missing() -> str:
    """Why there is no schema here, with the remedy; empty if there is one."""
    return (
        "" if _SCHEMA.exists() else f"needs {_SCHEMA}, which comes with libvirt: package libvirt0"
    )


def faults_of(definition: str) -> list[str]:
    """What the schema has against a definition; empty if it is valid."""
    schema = _schema()
    schema.validate(etree.fromstring(definition))
    return [f"{fault.line}: {fault.message}" for fault in schema.error_log]


@cache
def _schema() -> etree.RelaxNG:
    return etree.RelaxNG(etree.parse(_SCHEMA))
