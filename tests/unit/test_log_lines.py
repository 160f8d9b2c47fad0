"""Lines of a service's log: what they are about is in them, however they are written."""

import json
import logging
import threading
from typing import Any

import pytest

from vmwright.backends.libvirt.calls import Call, Threads
from vmwright.cli.log_lines import formatter
from vmwright.concerning import concerning, concerns


def line(log_format: str | None, text: str = "it %s", *values: Any, **more: Any) -> str:
    record = logging.getLogger("library").makeRecord(
        "library", logging.WARNING, "file", 1, text, values or ("happens",), more.pop("error", None)
    )
    vars(record).update(more)
    return formatter(log_format).format(record)


def failed() -> Any:
    try:
        raise ValueError("no such thing")
    except ValueError as error:
        return type(error), error, error.__traceback__


def test_a_line_says_what_its_thread_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    with concerning(operation_id="o1", instance_id="i1"), concerning(task="spawn", host=None):
        assert line("text").endswith(
            "WARNING library: it happens [operation_id=o1 instance_id=i1 task=spawn]"
        )
        told = json.loads(line("json"))
        assert line(None) == "WARNING library: it happens"
    assert told.pop("time").endswith("Z")
    assert {"process", "thread"} <= told.keys()
    assert {name: told[name] for name in ("level", "logger", "message", "operation_id")} == {
        "level": "WARNING",
        "logger": "library",
        "message": "it happens",
        "operation_id": "o1",
    }
    assert (told["instance_id"], told["task"]) == ("i1", "spawn")
    assert "host" not in told
    assert line("text").endswith("WARNING library: it happens")


def test_an_object_is_one_line_whatever_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    with concerning(task="two\nlines"):
        text = line("json", "a\nb %s", "\x1b[31m\u2028", error=failed(), said={"status": 200})
    assert text.isascii()
    assert len(text.splitlines()) == 1
    told = json.loads(text)
    assert told["message"] == "a\nb \x1b[31m\u2028"
    assert told["error"] == "ValueError: no such thing"
    assert told["traceback"].startswith("Traceback")
    assert told["status"] == 200


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_journald_reads_the_priority_of_each_line(
    monkeypatch: pytest.MonkeyPatch, log_format: str
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    lines = line(log_format, error=failed()).splitlines()
    assert all(one.startswith("<4>") for one in lines)
    assert (len(lines) == 1) == (log_format == "json")
    if log_format == "json":
        assert json.loads(lines[0].removeprefix("<4>"))["level"] == "WARNING"


def test_a_call_of_libvirt_is_about_what_its_caller_is() -> None:
    threads = Threads()
    try:
        with concerning(operation_id="o1"):
            call = Call("a call", lambda: (threading.current_thread(), dict(concerns())), repr)
        asked_in, about = call.answer(threads, 60)
    finally:
        threads.close()
    assert asked_in is not threading.current_thread()
    assert about == {"operation_id": "o1"}
    assert concerns() == {}
