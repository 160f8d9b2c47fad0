"""Quotas: what projects may have."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from vmwright.api.identity import Speaking
from vmwright.api.names import NameOrId
from vmwright.controller import Controller
from vmwright.request.model import Model
from vmwright.resources.quota import Quota

router = APIRouter(prefix="/quotas", tags=["quotas"])

Limit = Annotated[int, Field(ge=-1, le=2**31 - 1, strict=True)]


class QuotaChange(Model):
    """Limits of a project's own by resource, and those for which the configured one is to stand
    again; -1 is unlimited."""

    limits: dict[str, Limit] = Field(default_factory=dict)
    unset: tuple[str, ...] = ()


@router.get("")
def show_own_quotas(controller: Speaking) -> list[Quota]:
    """The limits of the caller's project, and what it has of them."""
    return _shown(controller, None)


@router.get("/{project}")
def show_quotas(controller: Speaking, project: NameOrId) -> list[Quota]:
    """The limits of a project, and what it has of them."""
    return _shown(controller, project)


@router.patch("/{project}")
def change_quotas(controller: Speaking, project: NameOrId, body: QuotaChange) -> list[Quota]:
    """Set limits of a project, in the place of those that are configured. What it has stays."""
    quotas = controller.inventory.quotas
    quotas.set(body.limits, project)
    quotas.unset(body.unset, project)
    return _shown(controller, project)


def _shown(controller: Controller, project: str | None) -> list[Quota]:
    return [Quota.model_validate(one) for one in controller.inventory.quotas.list(project)]
