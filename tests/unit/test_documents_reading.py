"""What runs the documents notices where a page says something else than the program."""

from pathlib import Path

import pytest

from tests.support.documents import blocks
from tests.support.documents.alike import assert_alike
from tests.support.documents.reader import Reader
from vmwright.errors import InvalidRequest


def read(page: Path, home: Path, text: str) -> None:
    page.write_text(text)
    document = blocks.read(page)
    with Reader(home, {}) as reader:
        document.namespace["reader"] = reader
        for example in document.examples():
            example.evaluate()


def test_ids_times_and_durations_may_differ() -> None:
    shown = "775a2f83-183e-4b96-9d95-994748f9827d +0.10s at 2026-11-28T10:19:40Z | x |"
    said = "eb8e6d21-4a33-49af-a4f2-a0ce0ac18b3d +12.7s at 2027-01-02T03:04:05Z |   x |"
    assert_alike("", shown, said)


@pytest.mark.parametrize(
    ("shown", "said"),
    [("one", "two"), ("one", "one\nmore"), ("one\n...\ntwo", "one\nmore"), ("a ... c", "b and c")],
)
def test_anything_else_may_not(shown: str, said: str) -> None:
    with pytest.raises(AssertionError):
        assert_alike("", shown, said)


def test_dots_stand_for_anything() -> None:
    assert_alike("", "one\n...\ntwo ... four", "one\nand\nmore\ntwo three four")
    assert_alike("", "...\none\n...", "one")


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ echo one\ntwo\n```\n",
        "```console\n$ false\n```\n",
        "```sh\nfalse\ntrue\n```\n",
        "```python\nassert 1 == 2\n```\n",
        "```ini\n[service]\nworkers = none\n```\n",
        "```usage\nvmwright create NAME --no-such-option\n```\n",
        "```text\n$ echo one\n```\n",
        "```unheard-of\n```\n",
        "```\nno language\n```\n",
        "<!-- not run: too lazy -->\n```sh\ntrue\n```\n",
        "<!-- needs: a miracle -->\n",
        "<!-- part of: README.md -->\n```python\nnothing = 'there'\n```\n",
    ],
)
def test_page_that_is_not_true_fails(tmp_path: Path, text: str) -> None:
    with pytest.raises((AssertionError, InvalidRequest)):
        read(tmp_path / "page.md", tmp_path, text)


def test_commands_of_a_page_are_run_in_one_shell(tmp_path: Path) -> None:
    text = "```console\n$ word=one\n$ echo $word \\\n    two\none two\n```\n"
    text += "<!-- file: there/said -->\n```text\nthree\n```\n"
    text += "```console\n$ cat there/said\nthree\n```\n"
    read(tmp_path / "page.md", tmp_path, text)
