"""Requests for instances as they come over the wire."""

import json
from typing import Annotated

from pydantic import BeforeValidator, ValidationError

from vmwright.request import CreateRequest
from vmwright.request.model import explain


def _from_json(value: object) -> CreateRequest:
    """What is bytes is base64 in JSON: the request must know that it came so."""
    if not isinstance(value, dict):
        raise ValueError("a request is a JSON object, sent as application/json")
    try:
        return CreateRequest.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise ValueError(explain(error)) from None


Wish = Annotated[CreateRequest, BeforeValidator(_from_json)]
"""A `CreateRequest`; contents of files and user data are base64."""


def keyed(request: CreateRequest, key: str) -> CreateRequest:
    """The same request under an idempotency key. `InvalidRequest` if it is none."""
    return CreateRequest.parse(**{**dict(request), "idempotency_key": key})
