"""Tokens: what callers show to be known."""

from vmwright.resources.resource import Moment, Resource


class Token(Resource):
    """For whom it speaks, and until when. The token itself is not kept."""

    id: str
    name: str
    project_id: str
    user_id: str
    roles: list[str]
    expires_at: Moment | None
    created_at: Moment


class NewToken(Token):
    """As it was made."""

    token: str
    """Told now and never again."""
