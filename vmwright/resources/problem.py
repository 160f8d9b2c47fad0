"""Errors as the service tells them."""

from vmwright.resources.resource import Resource


class Problem(Resource):
    """What went wrong, as RFC 9457 has it, and what to do about it. Never repeats what was sent."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    """The class of the error: ``NotFound``, ``Conflict``, ``QuotaExceeded``, ..."""
    task: str | None
    host: str | None
    cause: str | None
    hint: str | None
    retryable: bool
    """Whether the same request may do better a little later."""
