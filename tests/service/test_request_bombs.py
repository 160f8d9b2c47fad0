"""Small requests that would become large ones are refused in little time and memory."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import CommandLine
from tests.support.limited_qemu_img import limited
from tests.support.parameter_world import stocked_with_everything
from vmwright.errors import InvalidRequest, QuotaExceeded, VmwrightError
from vmwright.request import CreateRequest

MIB = 1 << 20
GIB = 1 << 30
WEB = "name: web\nflavor: small\nimage: disk\n"
LEVELS = range(1, 12)

BOMBS = {
    "aliases in a hint": f"{WEB}scheduler_hints:\n  l0: &l0 [a, a, a, a, a, a, a, a, a, a]\n"
    + "".join(f"  l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in LEVELS),
    "empty aliases": f"{WEB}scheduler_hints:\n  l0: &l0 []\n"
    + "".join(f"  l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in LEVELS),
    "merged mappings": "a0: &a0 {k: v}\n"
    + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in LEVELS)
    + WEB,
    "an alias within itself": f"{WEB}tags: &t [*t]\n",
    "a mapping within itself": f"&r\n{WEB}metadata: *r\n",
    "depth": WEB + "scheduler_hints: {a: " + "[" * 20_000 + "]" * 20_000 + "}\n",
    "depth of mappings": WEB + "scheduler_hints: " + "{a: " * 10_000,
    "depth of blocks": "".join(" " * n + "- \n" for n in range(1000)),
    "a decimal number": f"{WEB}min_count: {'9' * 900_000}\n",
    "a hexadecimal number": f"{WEB}min_count: 0x{'f' * 900_000}\n",
    "a number to the base of sixty": f"{WEB}min_count: 1{':59' * 300_000}\n",
    "a number as a key": f"{WEB}? 0x{'f' * 900_000}\n: 1\n",
    "an exponent": f"{WEB}scheduler_hints: {{a: 1.0e+999999999}}\n",
    "a key given twice": f"{WEB}name: other\n",
    "very many networks": f"{WEB}networks: [{'{network: lan},' * 3_000}]\n",
    "very many instances": "instances:\n" + "- {name: a, flavor: f, image: i}\n" * 1_100,
    "a wrong tag": f"{WEB}description: !!timestamp yes\n",
    "a truth that is none": f"{WEB}config_drive: !!bool perhaps\n",
    "an empty number": f"{WEB}min_count: !!int ''\n",
    "an object": f"{WEB}description: !!python/object/apply:os.system [touch sprung]\n",
    "too long a file": f"{WEB}description: {'x' * 2 * MIB}\n",
}

PROGRAM = """
import json, resource, sys, time
from vmwright.cli.spec_file import read_requests
from vmwright.errors import InvalidRequest
told = {}
for path in sys.argv[1:]:
    try:
        read_requests(path)
        told[path] = "accepted"
    except InvalidRequest as error:
        told[path] = error.message
    except Exception as error:
        told[path] = f"CRASHED {error!r}"[:300]
print(json.dumps(told))
"""


def test_no_bomb_in_a_file_goes_off(tmp_path: Path) -> None:
    """All of them in one process with one GiB of memory and a minute of its processor."""
    paths = {name: tmp_path / f"{number}.yaml" for number, name in enumerate(BOMBS)}
    for name, path in paths.items():
        path.write_text(BOMBS[name])
    words = [sys.executable, "-c", PROGRAM, *map(str, paths.values())]
    done = limited(*words, memory=GIB, seconds=60)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, str] = json.loads(done.stdout)
    for name, path in paths.items():
        assert told[str(path)] != "accepted", name
        assert "CRASHED" not in told[str(path)], (name, told[str(path)])
        assert len(told[str(path)]) < 500 + len(str(path)), name
        assert "\n" not in told[str(path)], name
    assert not Path("sprung").exists()


def test_anchors_that_stay_small_are_fine(tmp_path: Path) -> None:
    from vmwright.cli.spec_file import read_requests

    (tmp_path / "spec").write_text(
        "instances:\n- &a {name: a, flavor: f, image: i, tags: &t [x, y]}\n"
        "- {<<: *a, name: b}\n- {name: c, flavor: f, image: i, tags: *t}\n"
    )
    requests = read_requests(str(tmp_path / "spec"))
    assert [(request.name, request.tags) for request in requests] == [
        (name, ("x", "y")) for name in "abc"
    ]


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_hints_are_as_deep_as_every_reader_of_json_takes() -> None:
    plain = {"name": "a", "flavor": "f", "image": "i"}
    request = CreateRequest.parse(**plain, scheduler_hints={"x": nested(32)})
    assert CreateRequest.model_validate_json(request.model_dump_json()) == request
    for depth in (33, 200, 500, 2000, 100_000):
        with pytest.raises(InvalidRequest, match="hint"):
            CreateRequest.parse(**plain, scheduler_hints={"x": nested(depth)})


def test_a_request_in_json_is_bounded_too() -> None:
    deep = '{"name":"a","flavor":"f","image":"i","scheduler_hints":{"x":' + "[" * 100_000
    with pytest.raises(ValueError, match="recursion limit"):
        CreateRequest.model_validate_json(deep)


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return stocked_with_everything(tmp_path_factory.mktemp("bombs"))


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("injected_files", [{"path": "/a", "content": b""}] * 10_000, QuotaExceeded),
        ("injected_files", [{"path": "/a" * MIB, "content": b""}], QuotaExceeded),
        ("injected_files", [{"path": "/a", "content": bytes(64 * MIB)}], QuotaExceeded),
        ("injected_files", [{"path": "/a\0b", "content": b""}], InvalidRequest),
        ("metadata", {str(n): "x" for n in range(100_000)}, QuotaExceeded),
        ("networks", [{"network": "lan"}] * 10**6, InvalidRequest),
        ("volumes", [{"size": 1}] * 10**5, InvalidRequest),
        ("tags", [str(n) for n in range(10**5)], InvalidRequest),
        ("security_groups", [str(n) for n in range(10**5)], InvalidRequest),
        ("user_data", bytes(64 * MIB), InvalidRequest),
        ("max_count", 10**100, InvalidRequest),
        ("max_count", 1001, InvalidRequest),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_large_requests_are_refused_and_leave_nothing(
    command: CommandLine, field: str, value: object, error: type[VmwrightError]
) -> None:
    from vmwright.controller import Controller
    from vmwright.settings import Settings

    before = command.rows()
    wish = {"name": "a", "flavor": "small", "image": "disk", field: value}
    with (
        Controller(Settings.from_files(str(command.file))) as controller,
        pytest.raises(error) as refused,
    ):
        controller.submit(CreateRequest.parse(**wish))
    assert len(refused.value.message) < 1000
    assert command.rows() == before


def test_the_limits_would_stop_a_bomb_that_went_off() -> None:
    done: subprocess.CompletedProcess[str] = limited(
        sys.executable, "-c", "x = []\nwhile True: x.append(bytes(2**20))", memory=GIB, seconds=60
    )
    assert "MemoryError" in done.stderr
