"""What one call of the command works with, opened when it is first needed."""

import argparse
import gc
import logging
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, TextIO, cast

from vmwright.cli.log_lines import formatter
from vmwright.cli.outcomes import ways_on
from vmwright.cli.remote import Remote
from vmwright.cli.values import safe

if TYPE_CHECKING:
    from vmwright.controller import Controller
    from vmwright.errors import VmwrightError
    from vmwright.persistence.records import Operation
    from vmwright.reader import Reader
    from vmwright.settings import Settings


class Session:
    """Settings, controller and streams. Close it: what runs in this process is put down safely."""

    def __init__(self, options: argparse.Namespace, stdout: TextIO, stderr: TextIO) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.quiet: bool = getattr(options, "quiet", False)
        self.debug: bool = getattr(options, "debug", False)
        self.in_hand: dict[str, Operation] = {}
        """The operations that this call has begun or waits for, and has not yet seen ended."""
        self.only_looks = False
        """Whether an interruption ends nothing that anybody has to hear of."""
        self.runs = True
        """Whether operations run here; to be said before the controller is opened."""
        self.remote = Remote.of(options)
        """The service to work through; None: this call works on the store itself."""
        self._config_file: str | None = getattr(options, "config_file", None)
        self._verbosity: int = getattr(options, "verbose", 0)
        self._opened = ExitStack()
        self._closing = threading.Lock()
        self._interrupted = threading.Event()
        self._stop: threading.Event | None = None
        self._patience = 0.0
        self.log_format = "text"
        """Of what a service tells."""
        self._at_cut_off: Callable[[], object] = _nothing_more

    @cached_property
    def settings(self) -> "Settings":
        from vmwright.settings import Settings

        return Settings.from_files(self._config_file)

    @cached_property
    def reader(self) -> "Reader":
        """For commands that only look: it loads a fraction of what a controller does."""
        if self.remote is not None:
            return self.controller
        settings = self.settings
        from vmwright.reader import Reader

        self._opened.enter_context(self._logging())
        reader = self._opened.enter_context(Reader(settings))
        _collect_garbage()
        return reader

    @cached_property
    def controller(self) -> "Controller":
        """Of this process; or what stands for it, with the same methods, at a service."""
        if self.remote is not None:
            client = self.remote.open(lambda: self.settings.state_dir)
            self._opened.enter_context(self._logging())
            self._opened.enter_context(client)
            _collect_garbage()
            return cast("Controller", client)
        settings = self.settings
        from vmwright.controller import Controller

        self._opened.enter_context(self._logging())
        controller = self._opened.enter_context(Controller(settings, runs=self.runs))
        _collect_garbage()
        return controller

    def pay_debts(self) -> int:
        """Pay what is owed and due; returns how many debts remain. For a caller who does not
        operate the deployment, none do: those who do pay them."""
        from vmwright.errors import Forbidden

        with suppress(Forbidden):
            return self.controller.pay_debts()
        return 0

    @property
    def options(self) -> Sequence[str]:
        """The global options of this call, for another one that is to have the same."""
        return [
            *(["--config-file", self._config_file] if self._config_file else []),
            *["-v"] * self._verbosity,
            *(["--debug"] if self.debug else []),
        ]

    def show_log(self) -> None:
        """Show what a command logs that opens no store."""
        self._opened.enter_context(self._logging())

    def at_cut_off(self, call: Callable[[], object]) -> None:
        """Have this called where the command is cut off before it has ended."""
        self._at_cut_off = call

    def cut_off(self) -> None:
        """For another thread to call."""
        self._at_cut_off()

    def stop_on_interrupt(
        self, grace: float = 0.0, log_format: str | None = None
    ) -> threading.Event:
        """From now on an interruption only sets this: the command ends by itself, with its own
        exit code, `grace` seconds after `[service] stop_timeout` at the latest. What it logs is
        told as a service's is: from INFO on, in this format or that of the settings."""
        self._patience = self.settings.service.stop_timeout + grace
        self.log_format = log_format or self.settings.service.log_format
        self._stop = threading.Event()
        return self._stop

    def stop(self) -> float | None:
        """Have the command end by itself; within how many seconds. None if it is not one of
        those that do. For another thread to call."""
        if self._stop is None:
            return None
        self._stop.set()
        return self._patience

    def tell(self, text: str) -> None:
        """A message for the person at the terminal, one line or more; none after `interrupt`."""
        if not self._interrupted.is_set():
            self._print(text)

    def show(self, text: str) -> None:
        """A line for whoever reads the data, at once."""
        print(safe(text), file=self.stdout, flush=True)

    def _print(self, text: str) -> None:
        # Whoever closed standard error does not want to know; the work is not ended by that.
        with suppress(BrokenPipeError):
            print(safe(text), file=self.stderr, flush=True)

    def complain(self, error: "VmwrightError") -> None:
        """An error as one line; with ``--debug`` its traceback before it."""
        if self.debug:
            self.tell("".join(traceback.format_exception(error)).rstrip())
        hint = f" ({error.hint})" if error.hint else ""
        self.tell("vmwright: " + " ".join(f"{error.message}{hint}".split()))

    def at_end(self, call: Callable[[], object]) -> None:
        """Have this called when the session is closed, before what was opened earlier is."""
        self._opened.callback(call)

    def interrupt(self) -> None:
        """Put down what runs here, and tell what becomes of it. For another thread to call."""
        self._interrupted.set()
        self.close()
        kept = [*self.in_hand.values()]
        if self.only_looks:
            return
        if not kept:
            what_was_asked = f": what {self.remote} was asked for may go on" if self.remote else ""
            self._print(f"vmwright: interrupted{what_was_asked}")
            return
        word = "operation" if len(kept) == 1 else "operations"
        self._print(
            f"vmwright: interrupted: {word} {', '.join(self.in_hand)} "
            f"{self._what_becomes(len(kept))} ({self.ways_on(kept)})"
        )

    def _what_becomes(self, operations: int) -> str:
        one = operations == 1
        if self.remote is None:
            return "stays unfinished" if one else "stay unfinished"
        return f"{'goes' if one else 'go'} on at {self.remote}"

    def ways_on(self, operations: "Sequence[Operation]") -> str:
        """What to type next where this call leaves operations before their end."""
        return ways_on(operations, self.remote)

    def close(self) -> None:
        """Put down what runs here and let go of the store. May be repeated, by any thread."""
        with self._closing:
            self._opened.close()

    @contextmanager
    def _logging(self) -> Iterator[None]:
        """Write the program's log to standard error, as loud as was asked for."""
        handler = logging.StreamHandler(self.stderr)
        serves = self._stop is not None
        handler.setFormatter(formatter(self.log_format if serves else None))
        root, level = logging.getLogger(), logging.getLogger().level
        verbosity = max(self._verbosity, 1) if serves else self._verbosity
        loudest = {0: logging.WARNING, 1: logging.INFO}.get(verbosity, logging.DEBUG)
        if not self._verbosity:
            # Libraries warn of what is their own concern, or of what we tell in our own words.
            handler.addFilter(logging.Filter("vmwright"))
        root.addHandler(handler)
        root.setLevel(loudest)
        try:
            yield
        finally:
            root.removeHandler(handler)
            root.setLevel(level)


def _nothing_more() -> None:
    """What the process does ends with it."""


_YOUNG = 5000
"""Objects that are made before it is looked for garbage among them. Most of a build's do not live
that long."""


def _collect_garbage() -> None:
    """From now on, in a process that did not while it loaded what it keeps."""
    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(_YOUNG)
        gc.enable()
