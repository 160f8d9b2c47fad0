"""What ties a process of a crew to the one that began it: each sees that the other is gone."""

import os
import signal
import socket
import threading
from contextlib import suppress

SILENCE = 60.0
"""Seconds without a word after which a process of a crew counts as hung."""

STOP = b"STOP"
LONGEST = 4096
"""Bytes of one message."""


class Lifeline:
    """The end that a process of a crew holds. It says there what others tell systemd."""

    def __init__(self, descriptor: int) -> None:
        self._line = socket.socket(fileno=descriptor)
        self._line.set_inheritable(False)

    def follow(self, stop: threading.Event) -> None:
        """From now on this process is stopped, as by SIGTERM, when it is told to, or when nobody
        is left who could tell it. `stop` is set once it was stopped by anybody."""
        threading.Thread(
            target=self._stop_at_its_end, args=[stop], name="vmwright-lifeline", daemon=True
        ).start()

    def say(self, *words: str) -> None:
        """As `Notifier.say`."""
        # Whoever does not listen is gone, or has been told so much that a word less is no loss.
        with suppress(OSError):
            self._line.send("\n".join(words).encode(), socket.MSG_DONTWAIT)

    def alive(self, silent_for: float) -> None:
        """As `Notifier.alive`."""
        if silent_for < SILENCE:
            self.say("WATCHDOG=1")

    def _stop_at_its_end(self, stop: threading.Event) -> None:
        with suppress(ConnectionResetError):  # gone, with a word of ours unread
            self._line.recv(LONGEST)
        # A second signal ends it at once, and somebody else may have sent the first.
        if not stop.is_set():
            os.kill(os.getpid(), signal.SIGTERM)
