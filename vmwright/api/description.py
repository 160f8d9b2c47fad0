"""The OpenAPI description: what FastAPI makes of the routes, and what it cannot know."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from vmwright.resources.problem import Problem

ADDRESS = "/v1/openapi.json"
_TEXT = """\
Builds virtual machines on libvirt hosts: a build finishes, or gives everything back.

What takes time is an *operation*: `POST /v1/instances` answers at once with where its operation
is, and `GET /v1/operations/{operation}?wait=30`, or its events, tell how it goes.

Every request but those for the service's health shows a token: `Authorization: Bearer TOKEN`.
Things of other projects are not found. Things are named by their names or their ids; a slash in a
name is `%2F`. Times are ISO 8601 in UTC. Lists that may be long come in pages, and a header `Link`
says where the next one is. Every error is a problem (RFC 9457).
"""
_TAGS = {
    "instances": "Virtual machines: planned, built, looked at, deleted.",
    "operations": "Builds and deletes as they go on, and the verbs to steer them.",
    "events": "What happens, as server-sent events; `Last-Event-ID` goes on after a break.",
    "images": "The disks that instances begin as.",
    "flavors": "The sizes that instances come in.",
    "networks": "Where instances have their addresses.",
    "ports": "Addresses that are held before an instance has them, and after.",
    "volumes": "Disks that may outlive an instance, and snapshots of them.",
    "key pairs": "The caller's ssh public keys.",
    "security groups": "What may reach an instance; told to guests, and not enforced.",
    "server groups": "Instances that are to be together, or apart.",
    "quotas": "What projects may have.",
    "hosts": "The machines that run instances.",
    "upkeep": "What is owed on hosts, and what is not as it should be there.",
    "tokens": "What callers show to be known; for those who operate the deployment.",
    "service": "The service itself.",
    "health": "For those who watch over the service; without a token.",
}
_EXAMPLES: dict[str, Any] = {
    "create_instances": {
        "name": "web1",
        "image": "debian-12",
        "flavor": "small",
        "networks": [{"network": "private"}],
        "volumes": [{"size": 10}],
        "user_data": "I2Nsb3VkLWNvbmZpZwo=",
    },
    "create_reservations": {
        "requests": [
            {"name": "web", "image": "debian-12", "flavor": "small", "min_count": 2},
            {"name": "db", "image": "debian-12", "flavor": "large"},
        ]
    },
    "plan": {"requests": [{"name": "web1", "image": "debian-12", "flavor": "small"}]},
    "create_flavor": {"name": "small", "vcpus": 1, "ram_mib": 1024, "disk_gib": 10},
    "create_network": {"name": "private", "cidr": "10.1.0.0/24", "dns": ["10.1.0.1"]},
    "create_port": {"name": "door", "network": "private", "ip": "10.1.0.10"},
    "create_volume": {"name": "data", "size_gib": 20},
    "create_snapshot": {"name": "before-upgrade", "volume": "data"},
    "create_host": {"name": "host2", "uri": "qemu+ssh://host2/system", "traits": ["CUSTOM_SSD"]},
    "create_security_group_rule": {
        "direction": "ingress",
        "protocol": "tcp",
        "port_range_min": 22,
        "port_range_max": 22,
    },
    "create_server_group": {"name": "apart", "policy": "anti-affinity"},
    "create_token": {"name": "page", "project": "default", "roles": ["reader"]},
    "skip_operation": {"task": "plug_network", "why": "the host burnt down"},
    "abandon_operation": {"why": "the host burnt down"},
}
_PROBLEM = {"$ref": "#/components/responses/Problem"}


def name_of(route: APIRoute) -> str:
    """What a route is called in the description, and by clients that are made from it."""
    return route.name


def describe(application: FastAPI) -> dict[str, Any]:
    """As `FastAPI.openapi`; made once."""
    if application.openapi_schema is None:
        described = get_openapi(
            title=application.title,
            version=application.version,
            description=_TEXT,
            routes=application.routes,
            tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
            license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        )
        _complete(described)
        application.openapi_schema = described
    return application.openapi_schema


def _complete(described: dict[str, Any]) -> None:
    components = described["components"]
    components["schemas"]["Problem"] = Problem.model_json_schema()
    components["responses"] = {
        "Problem": {
            "description": "An error: what went wrong, why, and what to do about it.",
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
    }
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    for operation in _operations(described):
        _complete_operation(operation)
    _say_base64(components["schemas"])


def _operations(described: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in described["paths"].values():
        yield from path.values()


def _complete_operation(operation: dict[str, Any]) -> None:
    operation["responses"].pop("422", None)
    if "security" in operation:
        operation["responses"]["default"] = _PROBLEM
    example = _EXAMPLES.get(operation["operationId"])
    if example is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = example


def _say_base64(schema: Any) -> None:
    """What is bytes in a request is base64 in JSON."""
    if isinstance(schema, dict):
        if schema.get("contentMediaType") == "application/octet-stream":
            del schema["contentMediaType"]
            schema |= {"contentEncoding": "base64", "format": "byte"}
        for part in schema.values():
            _say_base64(part)
    elif isinstance(schema, list):
        for part in schema:
            _say_base64(part)
