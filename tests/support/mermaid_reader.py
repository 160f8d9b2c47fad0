"""Mermaid's own parser, for tests: needs node and npm, and installs itself into a cache."""

import html
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.npm import installed

_PROGRAM = Path(__file__).with_name("mermaid")


def read_mermaid(texts: Sequence[str]) -> list[dict[str, Any]]:
    """What Mermaid finds in each text; fails if it is not a flowchart.

    Skips the test if node or npm is missing, or if npm cannot fetch the packages.
    """
    directory = installed(_PROGRAM)
    answer = subprocess.run(
        ["node", "read.mjs"],
        cwd=directory,
        input=json.dumps(list(texts)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return [_decoded(diagram) for diagram in json.loads(answer.stdout)]


def _decoded(value: Any) -> Any:
    """Character codes as a browser shows them: Mermaid keeps them in a form of its own."""
    if isinstance(value, dict):
        return {key: _decoded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if isinstance(value, str):
        return html.unescape(value.replace("ﬂ°°", "&#").replace("ﬂ°", "&").replace("¶ß", ";"))
    return value
