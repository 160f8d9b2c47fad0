"""What all models of requests share: they are frozen, know their fields, and repeat no input."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from vmwright.errors import InvalidRequest

HIDDEN = "<"
"""What the tags of a union begin with, so that errors name the user's fields only."""


class Model(BaseModel):
    """Something that users ask for; unknown fields are refused, and inputs are never repeated."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        ser_json_bytes="base64",
    )

    @classmethod
    def parse(cls, **fields: Any) -> Self:
        """Build one from what a user gave; `InvalidRequest` names the field and the rule."""
        try:
            return cls(**fields)
        except ValidationError as error:
            raise InvalidRequest(explain(error)) from None


def explain(error: ValidationError) -> str:
    """The first thing that is wrong, without the input: that could be a secret."""
    where = ".".join(map(str, place_of(error)))
    message = _first(error)["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def place_of(error: ValidationError) -> tuple[str | int, ...]:
    """The field that is wrong, as names and positions from the outside in."""
    return tuple(part for part in _first(error)["loc"] if not str(part).startswith(HIDDEN))


def _first(error: ValidationError) -> Any:
    return error.errors(include_input=False, include_url=False)[0]
