"""What all resources share."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema


class Resource(BaseModel):
    """Made from a row, or from JSON. Fields that a newer service sends besides are left out."""

    model_config = ConfigDict(from_attributes=True, extra="ignore")


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


Moment = Annotated[
    datetime,
    PlainSerializer(_written, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A time in UTC; ISO 8601 in JSON, as the command line shows it."""
