"""libvirt's event loop: keepalives and consoles need one that runs, in every process once."""

import threading

import libvirt


class _EventLoop:
    """Whether the loop of this process runs. Two would fight for the same sockets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = False

    def leave_to_program(self) -> None:
        with self._lock:
            self._running = True

    def ensure_running(self) -> None:
        with self._lock:
            if self._running:
                return
            libvirt.virEventRegisterDefaultImpl()
            # Without a handler libvirt prints each error, also those that are answers.
            libvirt.registerErrorHandler(_silent, None)
            threading.Thread(target=_turn, name="libvirt-events", daemon=True).start()
            self._running = True


def _turn() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


def _silent(_context: object, _error: object) -> None:
    """Errors are raised as well; there they are handled."""


_LOOP = _EventLoop()
leave_to_program = _LOOP.leave_to_program
ensure_running = _LOOP.ensure_running
