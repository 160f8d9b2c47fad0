"""Without libvirt's Python binding everything but libvirt hosts works."""

import subprocess
import sys

_PROGRAM = """
import sys
sys.modules["libvirt"] = None
from pathlib import Path
from vmwright.backends.libvirt import open_backend
from vmwright.errors import PackageMissing
from vmwright.ids import DeploymentId, new_id
from vmwright.settings import Settings
try:
    open_backend(Settings.from_files(), DeploymentId(new_id()))
except PackageMissing as missing:
    print(missing, missing.hint)
"""


def test_missing_binding_is_named_with_both_remedies() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    assert "libvirt-python" in ran.stdout
    assert "pip install 'vmwright[libvirt]'" in ran.stdout
    assert "apt install python3-libvirt" in ran.stdout
    assert len(ran.stdout.splitlines()) == 1
