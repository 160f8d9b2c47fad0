"""Key pairs: ssh public keys that requests name."""

from vmwright.resources.resource import Moment, Resource


class KeyPair(Resource):
    """A public key of a user; its private half stays with them."""

    id: str
    name: str
    fingerprint: str
    public_key: str
    user_id: str
    created_at: Moment
