"""Who asks, and whom."""

from vmwright.resources.resource import Resource


class Me(Resource):
    """For whom a token speaks, and the service that it is of."""

    project: str
    user: str
    roles: list[str]
    deployment: str
    version: str
    operates: bool
    """Whether the policy lets the caller look after the deployment."""
    runs: bool
    """Whether this service runs what it accepts, or leaves it to others."""
