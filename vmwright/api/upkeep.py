"""What is owed on hosts, and what is not as it should be there."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import StrictBool

from vmwright.api.identity import Speaking
from vmwright.api.names import Id
from vmwright.request.model import Model
from vmwright.resources.upkeep import Finding, OwedThing, Remaining

router = APIRouter(tags=["upkeep"])


class Repairing(Model):
    """`adopt_unknown` also removes what is ours and the store does not know."""

    adopt_unknown: StrictBool = False


@router.get("/debts")
def list_debts(controller: Speaking) -> list[OwedThing]:
    """What must still become absent on hosts, the oldest first."""
    return [OwedThing.model_validate(debt) for debt in controller.debts()]


@router.post("/debts/pay")
def pay_debts(controller: Speaking) -> Remaining:
    """Make absent what is owed and due, before the next round does."""
    return Remaining(debts=controller.pay_debts())


@router.delete("/debts/{debt}", status_code=204)
def drop_debt(
    controller: Speaking,
    debt: Id,
    why: Annotated[
        str, Query(description="Kept with its operation.", min_length=1, max_length=255)
    ],
) -> None:
    """Have nobody pay a debt any more. What is still there stays, and an audit shows it."""
    controller.drop_debt(debt, why)


@router.get("/audit")
def audit(
    controller: Speaking,
    everything: Annotated[
        bool, Query(description="Also what is foreign, or ends by itself.")
    ] = False,
) -> list[Finding]:
    """What is not as it should be in the store and on hosts. It changes nothing."""
    found = controller.upkeep.audit(everything=everything)
    return [Finding.model_validate(one) for one in found]


@router.post("/audit/repair")
def repair(controller: Speaking, body: Repairing | None = None) -> list[Finding]:
    """Remove what is left over of what has ended; says what was done, and what is left."""
    adopt = body is not None and body.adopt_unknown
    done = controller.upkeep.repair(adopt_unknown=adopt)
    return [Finding.model_validate(one) for one in done]
