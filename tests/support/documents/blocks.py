"""The fenced blocks of a page and what is said of each, read by Sybil.

Each block is evaluated by what it is written in. One that nobody knows how to run is a failure,
unless the page gives one of the reasons why.
"""

import io
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml
from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer, RawFencedCodeBlockLexer

from tests.support.documents.reader import Reader
from vmwright.cli.main import run
from vmwright.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
WHY_NOT = {
    "as root": "it changes the machine",
    "another machine": "it needs a second one",
    "another test": "a test of its own runs it, which the page names",
    "for hours": "it measures, or kills, for longer than a test may",
    "of this checkout": "it makes .venv anew, or runs the tests themselves",
}
"""The reasons that a page may give for a block that is not run."""


def read(page: Path) -> Document:
    """A page with its blocks and remarks as examples, in their order."""
    return Sybil(parsers=[_blocks, _remarks], pattern="*.md").parse(page)


def _blocks(document: Document) -> list[Region]:
    lexer = RawFencedCodeBlockLexer(re.compile(r"(?P<language>[^\n]*)\n"))
    return [_evaluated(region, _run_block) for region in lexer(document)]


def _remarks(document: Document) -> list[Region]:
    lexer = DirectiveInHTMLCommentLexer("|".join(_REMARKS))
    return [_evaluated(region, _take_remark) for region in lexer(document)]


def _evaluated(region: Region, evaluator: Callable[[Example], None]) -> Region:
    region.parsed, region.evaluator = region.lexemes, evaluator
    return region


def _take_remark(example: Example) -> None:
    said = example.parsed
    # What is on one line is part of the argument, or the whole of it.
    _REMARKS[said["directive"]](example.namespace["reader"], said["arguments"].strip(" -"))


def _run_block(example: Example) -> None:
    reader: Reader = example.namespace["reader"]
    language, text = example.parsed["language"].strip(), str(example.parsed["source"])
    remarks = reader.take_remarks()
    if "not run" in remarks:
        assert remarks["not run"] in WHY_NOT, f"no such reason: {remarks['not run']}"
        return
    if "part of" in remarks:
        assert text in (ROOT / remarks["part of"]).read_text(), f"not in {remarks['part of']}"
        return
    assert language in _LANGUAGES, f"nobody runs a block of {language or 'no language'}"
    if "file" in remarks:
        reader.write(remarks["file"], text)
    if "in another terminal" in remarks:
        reader.run_beside(text)
    elif "file" not in remarks or language not in ("console", "sh", "python"):
        _LANGUAGES[language](reader, text)


def _only_text(reader: Reader, text: str) -> None:
    commands = [line for line in text.splitlines() if line.startswith(("$ ", "vmwright "))]
    assert commands == [], "commands are in a block of console, sh or usage"


def _exists(reader: Reader, text: str) -> None:
    """What stands for many commands is not run: it is there, with each of its options."""
    for command in re.sub(r"\n +", " ", text).splitlines():
        words, told = command.split()[1:], io.StringIO()
        while words and run(["help", *words], told, io.StringIO()) != 0:
            words.pop()
        assert words, f"there is no such command: {command}"
        for option in re.findall(r"(?<![A-Za-z0-9-])--?[a-z][a-z0-9-]*", command):
            assert re.search(rf"{option}\b", told.getvalue()), f"no {option}: {command}"


def _configures(reader: Reader, text: str) -> None:
    Settings.from_files(str(reader.write("shown.conf", text)))


def _parses(parse: Callable[[str], object]) -> Callable[[Reader, str], None]:
    return lambda reader, text: parse(text) and None


_REMARKS: Mapping[str, Callable[[Reader, str], None]] = {
    "needs": Reader.need,
    "kill": Reader.kill,
    **{
        name: lambda reader, said, name=name: reader.remark(name, said)
        for name in ("not run", "part of", "file", "in another terminal")
    },
}
_LANGUAGES: Mapping[str, Callable[[Reader, str], None]] = {
    "console": Reader.run_session,
    "sh": Reader.run_script,
    "python": Reader.run_program,
    "ini": _configures,
    "json": _parses(json.loads),
    "toml": _parses(tomllib.loads),
    "yaml": _parses(yaml.safe_load),
    "text": _only_text,
    "usage": _exists,
}
