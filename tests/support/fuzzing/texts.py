"""Requests as values, as files, and as words of the command."""

import unicodedata
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.support.any_request import NEEDED, OPTIONAL
from tests.support.command_line import CommandLine
from tests.support.fuzzing.tally import Outcome
from tests.support.hostile_texts import OTHER, SQL
from vmwright.cli.commands import _COMMANDS
from vmwright.cli.spec_file import read_requests
from vmwright.request import CreateRequest

HOSTILE_TEXTS = tuple(text for text in (*SQL, *OTHER) if len(text) < 1000)

_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(HOSTILE_TEXTS),
    st.binary(max_size=20),
)
_keys = st.one_of(
    st.text(max_size=9),
    st.sampled_from(["name", "network", "ip", "size", "uuid", "path", "content", "group", "query"]),
)
VALUES = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_keys, inner, max_size=4)),
    max_leaves=8,
)
_KNOWN = NEEDED | OPTIONAL


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, Any]:
    """Mostly a request that could be granted, with some fields that are anything."""
    names = draw(st.lists(st.sampled_from(sorted(_KNOWN)), max_size=4, unique=True))
    wish = {"name": "web", "flavor": "small", "image": "disk"}
    wish |= {name: draw(st.one_of(_KNOWN[name], VALUES)) for name in names}
    return wish | draw(st.dictionaries(_keys, VALUES, max_size=1))


def requests(given: dict[str, Any]) -> Outcome:
    return _sound(CreateRequest.parse(**given))


def _sound(request: CreateRequest) -> Outcome:
    """It survives JSON, and its name is one line that means what it looks like."""
    if CreateRequest.model_validate_json(request.model_dump_json()) != request:
        return Outcome.ESCAPED
    strange = any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in request.name)
    return Outcome.ESCAPED if strange or len(request.name) > 255 else Outcome.ACCEPTED


_PIECES = st.sampled_from(
    [
        *("name: web\n", "flavor: small\n", "image: disk\n", "instances:\n- ", "networks: [", "{"),
        *(
            "}",
            "]",
            ", ",
            ": ",
            "- ",
            "? ",
            "\n",
            "\n  ",
            "&a ",
            "*a",
            "<<: *a\n",
            "!!binary ",
            "|",
        ),
        *(
            "!!timestamp ",
            "!!int ",
            "!!float ",
            "!!bool ",
            "!!set ",
            "!!omap ",
            "!!python/name:os ",
        ),
        *(
            "0x",
            "1:1:1",
            "1e9",
            ".inf",
            ".nan",
            "~",
            "2026-99-99",
            "%YAML 1.1\n---\n",
            "...",
            "---\n",
        ),
        *(
            "'",
            '"',
            "\\ud800",
            '"\\ud800"',
            "\t",
            "\0",
            "\x85",
            "\u2028",
            "#",
            "@",
            "`",
            "=",
            "scheduler_hints: ",
        ),
        *("volumes: ", "size: 1", "metadata: ", "user_data: ", "tags: ", "max_count: "),
    ]
)
FILES = st.one_of(
    st.lists(st.one_of(_PIECES, st.text(max_size=5)), max_size=25).map("".join),
    st.builds(
        lambda pieces: "name: web\nflavor: small\nimage: disk\n" + "".join(pieces),
        st.lists(_PIECES, max_size=8),
    ),
)


class Files:
    def __init__(self, directory: Path) -> None:
        self._path = directory / "spec.yaml"

    def attempt(self, given: str) -> Outcome:
        self._path.write_text(given, errors="surrogatepass")
        outcomes = {_sound(request) for request in read_requests(str(self._path))}
        return Outcome.ESCAPED if Outcome.ESCAPED in outcomes else Outcome.ACCEPTED


_WORDS = st.one_of(
    st.sampled_from(HOSTILE_TEXTS),
    st.text(max_size=20),
    st.sampled_from(
        [
            *("web", "disk", "small", "lan", "--image", "disk", "--flavor", "small", "--network"),
            *("lan,ip=10.9.0.9", "port=free", "--volume", "size=1", "image=disk,size=2", "--tag"),
            *("--property", "a=b", "--hint", "group=full", "--min", "2", "--max", "-1", "--swap"),
            *("--ephemeral", "size=1,format=swap", "--block-device", "source_type=blank", "--"),
            *("--block-device-mapping", "vdb=x:snap::true", "-f", "json", "value", "-c", "name"),
            *("--user-data", "/nonexistent", "--password", "x", "--no-wait", "--long", "-h"),
            *("--availability-zone", "a:b:c", "--host", "host1", "-v", "--debug", "-q", "--spec"),
        ]
    ),
)
_SAFE = sorted(
    name
    for name in _COMMANDS
    # Those that wait, or run what others have left: they are tried elsewhere.
    if name not in ("create", "delete", "console", "resume", "serve", "audit")
    and not name.startswith(("operation", "db", "host", "volume snapshot", "audit"))
)
_BUILD = ("--image", "disk", "--flavor", "small", "--no-wait")
_POSSIBLE = (
    ("create", "TEXT", *_BUILD),
    ("create", "web", "--description", "TEXT", "--property", "a=TEXT", *_BUILD),
    ("create", "web", "--tag", "TEXT", "--hint", "TEXT=TEXT", *_BUILD),
    ("create", "web", "--file", "TEXT=/dev/null", "--password", "TEXT", *_BUILD),
    ("flavor", "create", "TEXT", "--vcpus", "1", "--ram", "64", "--disk", "1"),
    ("flavor", "set", "small", "--property", "key=TEXT"),
    ("port", "create", "TEXT", "--network", "lan"),
    ("volume", "create", "TEXT", "--size", "1"),
    ("security", "group", "create", "TEXT", "--description", "TEXT"),
    ("list", "--long", "-f", "value"),
    ("list", "--long"),
    ("show", "web", "-f", "shell"),
    ("show", "TEXT"),
    ("security", "group", "list", "-f", "csv"),
    ("volume", "list"),
)


def _filled(words: tuple[str, ...], told: str) -> list[str]:
    return [word.replace("TEXT", told) for word in words]


COMMANDS = st.one_of(
    st.builds(
        _filled,
        st.sampled_from(_POSSIBLE),
        st.one_of(st.sampled_from(HOSTILE_TEXTS), st.text(max_size=20)),
    ),
    st.builds(
        lambda verb, words: [*verb.split(), *words],
        st.sampled_from(_SAFE),
        st.lists(_WORDS, max_size=6),
    ),
)

_CODES = range(8)
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x1b\x9b\x07")


class Commands:
    """The command itself: a crash is an exception, and no output may steer a terminal."""

    def __init__(self, command: CommandLine) -> None:
        self._command = command

    def attempt(self, given: list[str]) -> Outcome:
        # No program can be called with these: the system, or Python on the way in, refuses.
        words = [word.replace("\0", "") for word in given]
        called = self._command(*words)
        if called.code not in _CODES:
            raise AssertionError(f"it ends with {called.code}")
        if called.code == 0 and called.err.startswith("Traceback"):
            raise AssertionError(called.err)
        for_people = not {"json", "yaml"} & set(words)
        if for_people and _TURNS & set(called.out + called.err):
            return Outcome.ESCAPED
        return Outcome.REFUSED if called.code else Outcome.ACCEPTED
