"""Lists come in pages; each tells where the next one is, as RFC 8288 has it."""

from typing import Annotated

from fastapi import Query, Request, Response

MOST = 1000
DEFAULT = 100

Limit = Annotated[int, Query(ge=1, le=MOST, description="How many a page has at most.")]

Text = Annotated[
    str | None,
    Query(max_length=255, description="Part of the instance's name, or a whole id."),
]


def tell_next(request: Request, response: Response, **marker: str) -> None:
    """Say where the list goes on. The address has no host: whoever asks knows under which name
    they reached us."""
    address = request.url.include_query_params(**marker)
    response.headers["Link"] = f'<{address.path}?{address.query}>; rel="next"'
