"""Tells systemd how a service stands: the protocol of sd_notify(3), without its library."""

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Says words to whoever started the service and asked for them; else nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the NUL of an address that is no file.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watchdog = int(environment.get("WATCHDOG_USEC", "0")) / 1e6 if watched else 0.0

    def say(self, *words: str) -> None:
        """`NAME=VALUE`, all in one message. Nobody listening is no reason to end."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker:
            try:
                speaker.sendto("\n".join(words).encode(), socket.MSG_DONTWAIT, self._address)
            except OSError:
                return

    def alive(self, silent_for: float) -> None:
        """Keep the watchdog away, unless nothing has moved for as long as it waits."""
        if self._watchdog and silent_for < self._watchdog:
            self.say("WATCHDOG=1")
