"""Config drives as a program that knows ISO 9660 reads them."""

import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pycdlib

_SCHEMAS = Path(__file__).parent / "schemas"


def opened(image: bytes) -> pycdlib.PyCdlib:
    iso = pycdlib.PyCdlib()
    iso.open_fp(io.BytesIO(image))
    return iso


def files_on(image: bytes, by: str = "rr_path") -> dict[str, bytes]:
    """Every file by its path, as one of the file system's trees (``joliet_path``) has it."""
    iso = opened(image)
    found = {}
    for directory, _, names in iso.walk(**{by: "/"}):
        for name in names:
            path, content = f"{directory.rstrip('/')}/{name}", io.BytesIO()
            iso.get_file_from_iso_fp(content, **{by: path})
            found[path] = content.getvalue()
    iso.close()
    return found


def check_schema(name: str, document: Any) -> None:
    """Raise `jsonschema.ValidationError` unless Nova's schema of this name allows the document."""
    schema = json.loads((_SCHEMAS / f"{name}.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(document)
