"""What the command line makes of its arguments, before anything is opened."""

import io
import re
import subprocess
import sys
from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from vmwright.cli import parsing
from vmwright.cli.commands import Commands
from vmwright.cli.main import run
from vmwright.errors import InvalidRequest

HEAVY = {"taskflow", "sqlalchemy", "alembic", "libvirt", "networkx", "rich", "pydantic"}


def called(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = run(words, out, err)
    return code, out.getvalue(), err.getvalue()


def test_network_is_a_name_with_wishes() -> None:
    assert parsing.network("lan") == {"network": "lan"}
    assert parsing.network("lan,mac=52:54:00:00:00:01,ip=10.0.0.5") == {
        "network": "lan",
        "ip": "10.0.0.5",
        "mac": "52:54:00:00:00:01",
    }


@pytest.mark.parametrize("text", ["", ",ip=10.0.0.1", "lan,ip", "lan,ip=", "lan,v6=::1", "lan,"])
def test_network_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        parsing.network(text)


def test_a_wish_may_not_be_given_twice() -> None:
    with pytest.raises(ArgumentTypeError, match="twice"):
        parsing.network("lan,ip=10.0.0.1,ip=10.0.0.2")


def test_pool_has_two_ends() -> None:
    assert parsing.pool("end=10.0.0.9,start=10.0.0.2") == ("10.0.0.2", "10.0.0.9")


@pytest.mark.parametrize("text", ["", "10.0.0.1", "start=1", "start=1,end=2,a=3", "start=,end=2"])
def test_pool_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        parsing.pool(text)


def test_volume_says_what_it_is_made_of() -> None:
    assert parsing.volume("size=3") == {"size": 3}
    assert parsing.volume("volume=data") == {"volume": "data"}
    assert parsing.volume("size=2,image=cirros,name=root,delete=false") == {
        "size": 2,
        "image": "cirros",
        "name": "root",
        "delete_on_termination": False,
    }


@pytest.mark.parametrize(
    "text", ["", "3", "size=", "size=-1", "size=1.5", "size=¹", "size=1,delete=maybe", "colour=red"]
)
def test_volume_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        parsing.volume(text)


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "soon", ""])
def test_patience_is_a_finite_number_of_seconds(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        parsing.seconds(text)


def test_property_keeps_equals_signs_of_its_value() -> None:
    assert parsing.pair("path=a=b") == ("path", "a=b")
    assert parsing.pair("empty=") == ("empty", "")
    with pytest.raises(ArgumentTypeError):
        parsing.pair("=value")


def test_property_may_not_be_given_twice() -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        parsing.unique([("a", "1"), ("a", "2")], "--property")


def test_file_that_is_too_long_is_not_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"x" * 11)
    assert parsing.content(str(file), 11) == b"x" * 11
    with pytest.raises(InvalidRequest, match="longer than 10 bytes"):
        parsing.content(str(file), 10)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nonsense",),
        ("volume",),
        ("d", "web"),
        ("--nonsense", "list"),
        ("list", "--nonsense"),
        ("list", "-f", "nonsense"),
        ("list", "-c", "nonsense"),
        ("show",),
        ("show", "one", "two"),
        ("create",),
        ("create", "web", "--image", "i"),
        ("create", "web", "--image", "i", "--flavor", "f", "--network", ",ip=1"),
        ("create", "web", "--image", "i", "--flavor", "f", "--network", "lan,ip=300.1.1.1"),
        (
            "create",
            "web",
            "--image",
            "i",
            "--flavor",
            "f",
            "--network",
            "lan,mac=01:00:00:00:00:00",
        ),
        ("create", "web", "--image", "i", "--flavor", "f", "--volume", "size=0"),
        ("create", "web", "--image", "i", "--flavor", "f", "--volume", "name=x"),
        ("create", "web", "--image", "i", "--flavor", "f", "--property", "novalue"),
        (
            "create",
            "web",
            "--image",
            "i",
            "--flavor",
            "f",
            "--property",
            "a=1",
            "--property",
            "a=2",
        ),
        ("create", "web", "--image", "i", "--flavor", "f", "--user-data", "/nonexistent/file"),
        ("create", "web", "--image", "i", "--flavor", "f", "--key", "nokey"),
        ("create", "web", "--image", "i", "--flavor", "f", "--key", "k", "--key-file", "f"),
        (
            "create",
            "web",
            "--image",
            "i",
            "--flavor",
            "f",
            "--kernel",
            "nokernel",
            "--ramdisk",
            "r",
        ),
        ("create", "web", "--image", "i", "--flavor", "f", "--wait", "--no-wait"),
        ("create", "web", "--image", "i", "--flavor", "f", "--timeout", "soon"),
        ("create", "we\nb", "--image", "i", "--flavor", "f"),
        ("create", "", "--image", "i", "--flavor", "f"),
        ("create", "web", "--image", "i", "--flav", "f"),
        ("flavor", "create", "small", "--vcpus", "many", "--ram", "1", "--disk", "1"),
        ("host", "set", "h"),
        ("host", "set", "h", "--enable", "--disable"),
        ("host", "set", "h", "--enable", "--reason", "why"),
        ("graph", "create", "--format", "png"),
        ("graph", "create", "--output", "/nonexistent/directory/file"),
        ("--config-file", "/nonexistent/file", "list"),
        ("help", "nonsense"),
    ],
    ids=" ".join,
)
def test_bad_arguments_are_refused_in_one_line(words: tuple[str, ...]) -> None:
    code, out, err = called(*words)
    assert (code, out) == (2, "")
    assert err.startswith("vmwright: ")
    assert err.count("\n") == 1


def test_unknown_command_names_those_that_come_close() -> None:
    assert "did you mean: create" in called("creat", "web")[2]
    assert "volume create, volume delete" in called("volume", "web")[2]


def test_words_of_a_command_are_never_abbreviated() -> None:
    assert called("del", "web")[0] == 2


def test_refused_column_is_known_before_anything_is_begun() -> None:
    code, _, err = called("create", "web", "--image", "i", "--flavor", "f", "-c", "colour")
    assert code == 2
    assert "there is no column 'colour'" in err
    assert "vm_state" in err


def test_no_wait_shows_an_operation_and_its_columns() -> None:
    words = ("create", "web", "--image", "i", "--flavor", "f", "--no-wait", "-c", "vm_state")
    assert "there is no column 'vm_state'" in called(*words)[2]


def test_global_options_stand_before_and_behind_the_command() -> None:
    before = called("--config-file", "/nonexistent/file", "list")
    assert before == called("list", "--config-file", "/nonexistent/file")
    assert "/nonexistent/file" in before[2]


def test_debug_shows_where_an_error_comes_from() -> None:
    _, _, err = called("list", "--debug", "--config-file", "/nonexistent/file")
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("vmwright: ")


def test_version_and_help_are_data() -> None:
    code, out, err = called("--version")
    assert (code, err) == (0, "")
    assert out.startswith("vmwright ")
    for words in (["--help"], ["-h"], ["help"]):
        code, out, err = called(*words)
        assert (code, err) == (0, "")
        assert all(name in out for name, _ in Commands())


@pytest.mark.parametrize("name", [name for name, _ in Commands()])
def test_every_command_explains_itself(name: str) -> None:
    code, out, err = called(*name.split(), "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: vmwright {name}")
    assert called("help", *name.split()) == (code, out, err)


def test_reference_names_every_command_and_its_options() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()
    on_every_noun = {"list", "show", "delete"}
    for name, _ in Commands():
        noun, _, verb = name.rpartition(" ")
        named = f"vmwright {name}" in page or name == "help"
        assert named or (verb in on_every_noun and f"vmwright {noun} create" in page), name
    page += (Path(__file__).parents[2] / "docs" / "reference" / "parameters.md").read_text()
    usage = called("create", "--help")[1]
    for option in re.findall(r"--[a-z-]+", usage.partition("-f {")[0]):
        assert option in page, option


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import io, sys\n"
        "from vmwright.cli.main import run\n"
        "assert run(['--help'], io.StringIO(), sys.stderr) == 0\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stdout.split())


def test_flow_is_drawn_without_store_or_backend(tmp_path: Path) -> None:
    for output in ("text", "dot", "mermaid", "svg", "json"):
        file = tmp_path / output
        code, out, err = called("graph", "create", "--format", output)
        assert (code, err) == (0, "")
        assert "spawn" in out
        assert called("graph", "create_instance", "--format", output, "--output", str(file)) == (
            0,
            "",
            "",
        )
        assert file.read_text() == out
