"""The service tokens of siblings."""

from api_contract import instants
from api_contract.errors import Unauthorized
from api_contract.service_keys import PublicKeys
from api_contract.service_tokens import GAPI, Signed, signed_claims
from gapi_app import clock


def read_sibling_token(text: str, keys: PublicKeys | None) -> Signed:
    """A token that another service made for us, and makes about now. Raises Unauthorized, without keys for any."""
    if keys is None:
        raise Unauthorized("the service token is not valid")
    signed = signed_claims(text, keys, GAPI)
    now = clock.now()
    if instants.is_early(signed.claims, now) or instants.is_over(signed.claims["exp"], now):
        raise Unauthorized("the service token is not valid")
    if signed.issuer == GAPI:
        raise Unauthorized("the service token is not valid")
    return signed
