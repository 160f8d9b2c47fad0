"""Everything that callers of vmwright may catch, and what each means for them."""

from typing import Any, ClassVar

_LONGEST = 4096


def _bounded(text: str) -> str:
    """Messages repeat names, also those that nobody has checked, and end in logs and stores.

    What is wrong with a name stands behind it: the end is kept as well.
    """
    half = _LONGEST // 2
    cut = text if len(text) <= _LONGEST else f"{text[:half]} ... {text[-half:]}"
    return cut.replace("\0", "\\0").encode(errors="backslashreplace").decode()


class VmwrightError(Exception):
    """Root of our errors: a sentence that names the thing, and a hint at the remedy.

    The message never repeats the cause, which is chained, and never holds an input that
    could be a secret: it is stored and shown.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = _bounded(message)
        self.hint = _bounded(hint)
        super().__init__(self.message)
        self.host: str | None = None
        """The host that it happened on, where there was one."""

    def to_store(self) -> dict[str, Any]:
        """As it lies in events and faults."""
        return {
            "code": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            "host": self.host,
        }


class InvalidRequest(VmwrightError):
    """The request can never be granted as it stands. Nothing was stored."""

    exit_code = 2


class Unauthenticated(VmwrightError):
    """The service was shown no token, or one that it does not know."""

    exit_code = 2


class Forbidden(VmwrightError):
    """The policy does not allow this to the caller. Nothing was stored."""

    exit_code = 2


class QuotaExceeded(VmwrightError):
    """The project would have more than its quota. Nothing was stored."""

    exit_code = 2


class NotFound(VmwrightError):
    """No such thing, or not one that the caller may see."""

    exit_code = 4


class Conflict(VmwrightError):
    """The thing is in a state, or in a use, that forbids this."""

    exit_code = 5


class DeadlinePassed(VmwrightError):
    """The caller's patience ended first. Nothing was taken back; the operation goes on."""

    exit_code = 6


class StoreUnavailable(VmwrightError):
    """The database does not answer."""

    exit_code = 7


class TransactionGivenUp(StoreUnavailable):
    """The database ended a transaction for another one's sake. Nothing of it was stored: it may be
    tried again at once."""


class SchemaMismatch(VmwrightError):
    """The database's schema is not the one that this version writes."""

    exit_code = 7


class StoreRestored(VmwrightError):
    """The database is older than what this machine has seen of it: it came from a backup, or from
    a replica that lagged behind. What runs outside may be newer than what it says."""

    exit_code = 7


class PackageMissing(VmwrightError):
    """A needed package is not installed."""

    exit_code = 7


class Refused(VmwrightError):
    """The backend knows the request and says no; nothing changed. Asking again will not help."""


class NoValidHost(Refused):
    """No host may take the guest; the message gives the reason of each."""


class HostFault(VmwrightError):
    """This host cannot do it; another one may."""


class Unavailable(VmwrightError):
    """The backend could not be asked, or did not answer in time: the outcome is unknown."""

    exit_code = 7


class Cancelled(VmwrightError):
    """Somebody asked for this operation to be taken back."""


class Internal(VmwrightError):
    """A defect of vmwright. The log holds the traceback; the message holds no foreign text."""


class ClaimLost(VmwrightError):
    """Another process owns the operation now. Nothing that we do may be written."""


class Damaged(VmwrightError):
    """Rows of the store say what no vmwright writes. What they are about is parked, never
    guessed at; the message names table and column, and never what lies there."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="put these rows back from a backup of the store")


class ProcessesDied(VmwrightError):
    """Process after process died while it ran the operation, and none got any further."""


class UnknownFlow(VmwrightError):
    """The operation was started by code that we are not. It is parked, never guessed at."""
