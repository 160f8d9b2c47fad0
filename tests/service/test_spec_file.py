"""Requests in files: what `spec` prints is what its options mean, and errors name the place."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tests.support.parameter_cases import CASES, Case
from tests.support.parameter_world import FILES, stocked_with_everything
from tests.support.through_service import WAYS, in_way
from vmwright.cli.spec_file import read_requests, written
from vmwright.errors import InvalidRequest
from vmwright.request import CreateRequest

PLAINEST = {"name": "web", "image": "disk", "flavor": "small"}
SAID = [case for case in CASES if case.error is None and case.words]


@pytest.fixture(scope="module", params=WAYS)
def command(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    stocked = stocked_with_everything(tmp_path_factory.mktemp("files"))
    with in_way(request.param, stocked) as command:
        yield command


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("said")
    for name, content in FILES.items():
        (directory / name).write_bytes(content)
    return directory


@pytest.mark.parametrize("case", SAID, ids=str)
def test_what_spec_prints_is_the_request_that_the_options_make(files: Path, case: Case) -> None:
    fields = PLAINEST | dict(case.fields)
    words = [word.replace("{files}", str(files)) for word in case.words or ()]
    if fields["image"] is not None:
        words += ["--image", fields["image"]]
    command, flavor = CommandLine(files), fields["flavor"]
    printed = command("spec", fields["name"], "--show-secrets", "--flavor", flavor, *words)
    assert (printed.code, printed.err) == (0, "")
    (files / "printed.yaml").write_text(printed.out)
    (request,) = read_requests(str(files / "printed.yaml"))
    assert request == CreateRequest.parse(**fields)


@pytest.mark.parametrize("content", [b"#!/bin/sh\n", b"\xff\xfe\0", b"a\r\nb\t\0", b"  lead: \n"])
def test_files_hold_any_bytes(tmp_path: Path, content: bytes) -> None:
    fields = PLAINEST | {"user_data": content}
    (tmp_path / "web.yaml").write_text(written(fields))
    (request,) = read_requests(str(tmp_path / "web.yaml"))
    assert request.user_data == content


WEB = "name: web\nflavor: small\nimage: disk\n"
TWO = "instances:\n- name: a\n  image: disk\n  flavor: small\n"

BROKEN = {
    "": ":1: it is not a mapping of fields",
    "# nothing\n": ":1: it is not a mapping of fields",
    "- name: web\n": ":1: it is not a mapping of fields",
    "web\n": ":1: it is not a mapping of fields",
    "name: web\nflavor: [\n": ":3: ",
    "name: web\nflavor: a: b\n": ":2: mapping values are not allowed here",
    "name: web\n\tflavor: small\n": ":2: ",
    "name: web\nname: web\n": ":2: name is given twice",
    "name: web\n\nflavour: small\n": ":1: flavor: Field required",
    f"{WEB}flavour: small\n": ":4: flavour: Extra inputs",
    f"{WEB}networks:\n- network: lan\n- network: lan\n  ip: 10.9.0\n": (
        ":7: networks.1.ip: '10.9.0' is not an IPv4 address"
    ),
    f"{WEB}volumes:\n- size: 1\n- size: big\n": (":6: volumes.1.size: "),
    f"{WEB}metadata:\n  role: web\n  count: [1]\n": (":6: metadata.count: "),
    "name: 7\nflavor: small\nimage: disk\n": ":1: name: Input should be a valid string",
    f"{WEB}block_device_mapping:\n"
    "- device_name: vdb\n  virtual_name: swap\n": ":5: block_device_mapping.0: a swap disk needs",
    f"{WEB}min_count: 2\nmax_count: 1\n": (":1: min_count must be <= max_count"),
    f"{WEB}max_count: true\n": ":4: max_count: this is true or false, and no number",
    f"{WEB}volumes: [{{size: true}}]\n": ":4: volumes.0.size: this is true or false",
    f"{TWO}- {{name: b, flavor: small, image: disk, max_count: 1000}}\n": (
        ":1: instances: at most 1000 are asked for at once, these are 1001"
    ),
    "instances: {}\n": ":1: instances: is a list",
    "instances: []\n": ":1: instances: is a list",
    "name: web\ninstances: [{name: a}]\n": ":2: instances: is a list, and nothing is beside it",
    f"{TWO}- web\n": ":5: an instance is a mapping",
    f"{TWO}- name: b\n  flavor: small\n": (":5: Missing imageRef"),
    f"{TWO}- name: b\n  flavor: f\n  tags: [1]\n": ":7: tags.0: ",
    "name: " + "[" * 5000: ":1: it is too deeply nested",
    "name: !!python/object:os.system x\n": ":1: could not determine a constructor",
    "name: 2026-13-45\n": ":1: ",
    "name: \x01\n": ":1: ",
}


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: repr(text)[:60])
def test_errors_name_file_line_and_field(command: CommandLine, text: str) -> None:
    file = command.directory / "web.yaml"
    file.write_text(text)
    before = command.stored()
    for option in ("-f", "--spec"):
        called = command("create", option, str(file))
        assert (called.code, called.out) == (2, ""), called.err
        assert called.err.startswith(f"vmwright: {file}{BROKEN[text]}"), called.err
        assert called.err.count("\n") == 1
    assert command.stored() == before


def test_a_file_that_is_no_text_or_too_long_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    for content, text in ((b"\xff\xfe", "is not text"), (b"#" * (2**20 + 1), "is longer than")):
        file.write_bytes(content)
        with pytest.raises(InvalidRequest, match=text):
            read_requests(str(file))


def test_a_secret_of_a_file_is_in_no_error(command: CommandLine) -> None:
    file = command.directory / "web.yaml"
    file.write_text("name: web\nflavor: small\nadmin_password: marker-of-a-secret\nimage: [1]\n")
    called = command("create", "-f", str(file))
    assert called.code == 2
    assert "marker-of-a-secret" not in called.err


@pytest.mark.parametrize("option", ["-f", "--spec"])
def test_a_file_describes_one_instance_or_several(command: CommandLine, option: str) -> None:
    file = command.directory / "web.yaml"
    file.write_text("name: one\nimage: disk\nflavor: small\nmetadata: {role: web}\n")
    called = command("create", option, str(file), "--no-wait", "-c", "state")
    assert called.code == 0, called.err
    assert "queued" in called.out
    several = "\n".join(f"- {{name: a{n}, image: disk, flavor: small}}" for n in range(3))
    file.write_text(f"instances:\n{several}\n")
    called = command("create", "--no-wait", "--spec", str(file), "-f", "json")
    assert [row["state"] for row in called.data] == ["queued"] * 3
    assert len({row["admin_password"] for row in called.data}) == 3


def test_several_of_a_file_are_accepted_or_none(command: CommandLine) -> None:
    file = command.directory / "web.yaml"
    file.write_text(
        "instances:\n- {name: a, image: disk, flavor: small}\n"
        "- {name: b, image: unknown, flavor: small}\n"
    )
    before = command.stored()
    assert command("create", "-f", str(file)).code == 4
    assert command.stored() == before


def test_passwords_of_several_are_shown_to_people_too(command: CommandLine) -> None:
    words = ("create", "web", "--image", "disk", "--flavor", "small", "--max", "2", "--no-wait")
    table = command(*words)
    assert "admin_password" in table.out
    chosen = command(*words, "-c", "instance_id", "-f", "value")
    assert len(chosen.out.split()) == 2


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("web", "-f", "FILE"), "so do options: name"),
        (("-f", "FILE", "--tag", "a"), "so do options: tags"),
        (("-f", "FILE", "--spec", "FILE"), "both name a file"),
        (("-f", "nonsense"), "neither a file nor one of"),
        (("-f", "shell", "--spec", "FILE"), "shows one instance only"),
        ((), "required: NAME, --flavor"),
        (("web", "--flavor", "small", "--boot-from-volume", "1"), "needs --image"),
        (("web", "--flavor", "f", "--host", "a", "--availability-zone", "z:b"), "both name a host"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_contradictions_are_refused_before_anything_is_built(
    command: CommandLine, words: tuple[str, ...], text: str
) -> None:
    file = command.directory / "several.yaml"
    file.write_text("instances:\n" + "- {name: a, image: disk, flavor: small}\n" * 2)
    before = command.stored()
    called = command("create", *(word.replace("FILE", str(file)) for word in words))
    assert (called.code, called.out) == (2, "")
    assert text in called.err
    assert command.stored() == before
