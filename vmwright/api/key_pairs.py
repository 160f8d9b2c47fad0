"""Key pairs: ssh public keys of the caller, whatever project they work in."""

from fastapi import APIRouter

from vmwright.api.identity import Speaking
from vmwright.api.names import NameOrId
from vmwright.inventory.key_pairs import NewKeyPair
from vmwright.resources.key_pair import KeyPair

router = APIRouter(prefix="/keypairs", tags=["key pairs"])


@router.post("", status_code=201)
def create_key_pair(controller: Speaking, body: NewKeyPair) -> KeyPair:
    """Register an ssh public key, as one line of OpenSSH's ``.pub`` files."""
    pair = controller.inventory.key_pairs.create(body.name, body.public_key)
    return KeyPair.model_validate(pair)


@router.get("")
def list_key_pairs(controller: Speaking) -> list[KeyPair]:
    """The caller's key pairs, oldest first."""
    return [KeyPair.model_validate(one) for one in controller.inventory.key_pairs.list()]


@router.get("/{key_pair}")
def show_key_pair(controller: Speaking, key_pair: NameOrId) -> KeyPair:
    """One key pair."""
    return KeyPair.model_validate(controller.inventory.key_pairs.get(key_pair))


@router.delete("/{key_pair}", status_code=204)
def delete_key_pair(controller: Speaking, key_pair: NameOrId) -> None:
    """Forget a key pair; instances keep the key that they were built with."""
    controller.inventory.key_pairs.delete(key_pair)
