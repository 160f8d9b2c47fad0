"""A door between a program and its database that can be shut, walled up, or cut in two.

It listens on a loopback port of its own and hands every connection on to the server. Tests and
chaos runs close it while something is under way: what is behind it goes on living.
"""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

_CHUNK = 1 << 16


class Door(StrEnum):
    """What becomes of those who are connected, and of those who come."""

    OPEN = "open"
    """Everything passes."""
    SHUT = "shut"
    """Connections are ended and new ones are refused: the server was killed."""
    HANGS = "hangs"
    """Nothing passes and nobody is told: a stopped server, or a network that swallows packets."""
    EATS_ANSWERS = "eats answers"
    """What is asked arrives, and is done; the answer never comes."""


class Proxy:
    """Thread-safe. `port` stays the same through all of its life, also while it is shut."""

    def __init__(self, target: int) -> None:
        """`target` is a port on this machine's loopback interface."""
        self._target = target
        self._door = Door.OPEN
        self._lock = threading.Lock()
        self._links: set[_Link] = set()
        self._listener: socket.socket | None = _listening(0)
        self.port: int = self._listener.getsockname()[1]
        self.passed = 0
        """Chunks of bytes that came from clients so far: whoever waits for traffic looks here."""
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = socket.socketpair()
        self._closing = False
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._serve, name="proxy", daemon=True)

    @property
    def door(self) -> Door:
        return self._door

    def turn(self, door: Door) -> None:
        """Open it or close it. Returns once it is so: no byte passes afterwards that may not."""
        with self._lock:
            self._door = door
            if door is Door.SHUT:
                self._stop_listening()
                for link in list(self._links):
                    self._end(link)
                return
            # Who has missed an answer would take the next one for it.
            for link in [link for link in self._links if link.missed]:
                self._end(link)
            if self._listener is None:
                self._listener = _listening(self.port)
                self._selector.register(self._listener, selectors.EVENT_READ, None)
        # It waits for what it knew about.
        self._waker.send(b"!")

    @contextmanager
    def turned(self, door: Door) -> Iterator[None]:
        """Closed in this way for as long as the body runs."""
        self.turn(door)
        try:
            yield
        finally:
            self.turn(Door.OPEN)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing = True
        self._waker.send(b"!")
        self._thread.join()
        with self._lock:
            self._stop_listening()
            for link in list(self._links):
                self._end(link)
        for end in (self._waker, self._woken):
            end.close()
        self._selector.close()

    def _serve(self) -> None:
        while not self._closing:
            # While it hangs, what is ready stays ready: looking again at once would only spin.
            asleep = self._door is Door.HANGS
            ready = self._selector.select(timeout=0.02 if asleep else None)
            with self._lock:
                for key, _ in ready:
                    self._attend(key.fileobj, key.data)
            if asleep:
                threading.Event().wait(0.005)

    def _attend(self, source: object, link: "_Link | None") -> None:
        if source is self._woken:
            self._woken.recv(_CHUNK)
        elif self._door is Door.HANGS:
            return
        elif link is None:
            self._accept()
        elif link in self._links:
            self._pass_on(link, source)

    def _accept(self) -> None:
        if self._listener is None:
            return
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        link = _Link(client, server)
        self._links.add(link)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(end, selectors.EVENT_READ, link)

    def _pass_on(self, link: "_Link", source: object) -> None:
        asks = source is link.client
        end, other = (link.client, link.server) if asks else (link.server, link.client)
        try:
            data = end.recv(_CHUNK)
            if not asks and self._door is Door.EATS_ANSWERS:
                link.missed = True
            elif data:
                self.passed += asks
                other.sendall(data)
        except OSError:
            data = b""
        if not data:
            self._end(link)

    def _end(self, link: "_Link") -> None:
        self._links.discard(link)
        for end in (link.client, link.server):
            self._selector.unregister(end)
            _let_go(end)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._selector.unregister(self._listener)
            _let_go(self._listener)
            self._listener = None


class _Link:
    """One connection, with both of its ends."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.missed = False
        """Whether an answer was kept from the client."""


@contextmanager
def proxied(target: int) -> Iterator[Proxy]:
    """A running proxy of a port on this machine."""
    proxy = Proxy(target)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.close()


def _let_go(end: socket.socket) -> None:
    """Also for the processes that were forked meanwhile, and have it open too."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener
