"""Tokens of others: made, listed and deleted by those who operate the deployment."""

from fastapi import APIRouter

from vmwright.api.identity import Speaking
from vmwright.api.names import NameOrId
from vmwright.inventory import tokens
from vmwright.persistence.tokens import TokenRecord
from vmwright.resources.token import NewToken, Token

router = APIRouter(prefix="/tokens", tags=["tokens"])


@router.post("", status_code=201)
def create_token(controller: Speaking, body: tokens.NewToken) -> NewToken:
    """Make a token. It is told now, and never again."""
    made, token = controller.inventory.tokens.create(**body.model_dump())
    return NewToken(**dict(_shown(made)), token=token)


@router.get("")
def list_tokens(controller: Speaking) -> list[Token]:
    """Every token but the service's own, oldest first."""
    return [_shown(one) for one in controller.inventory.tokens.list()]


@router.get("/{token}")
def show_token(controller: Speaking, token: NameOrId) -> Token:
    """Whom a token speaks for."""
    return _shown(controller.inventory.tokens.get(token))


@router.delete("/{token}", status_code=204)
def delete_token(controller: Speaking, token: NameOrId) -> None:
    """Know a token no more: requests with it are refused, and streams end within a second."""
    controller.inventory.tokens.delete(token)


def _shown(token: TokenRecord) -> Token:
    return Token.model_validate(vars(token))
