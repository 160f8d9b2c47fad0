"""Quotas: what projects may have beside what they have."""

from vmwright.resources.resource import Resource


class Quota(Resource):
    """A limit, and what counts against it."""

    resource: str
    limit: int
    """-1 is unlimited."""
    in_use: int | None
    """Null where it is not the project's: the files of a request, the members of a group."""
    configured: bool
    """Whether the limit is the configuration's, and not the project's own."""
