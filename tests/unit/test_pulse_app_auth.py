import json
import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse_app.auth import Caller, read_service_token
from pulse_core.domain.errors import Unauthorized

KEY = "a key for tests, of more than 32 bytes"
ACCOUNT = "acc_01J00000000000000000000000"
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), lambda inner: st.lists(inner)
)


def token(**changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": "gapi", "aud": "pulse", "sub": ACCOUNT, "role": "trader", "iat": now, "exp": now + 30, "jti": "1"}
    # Not jwt.encode: it refuses to sign some of what an attacker would.
    return jwt.PyJWS().encode(json.dumps(claims | changes).encode(), KEY, algorithm="HS256")


def test_a_token_of_the_gateway_names_its_caller() -> None:
    assert read_service_token(token(), KEY) == Caller(ACCOUNT, "trader")
    assert read_service_token(token(sub="gapi", role="gapi"), KEY) == Caller("gapi", "gapi")


@pytest.mark.parametrize("subject", ["", "gap", "acc_", "acc_01j00000000000000000000000", ACCOUNT + "\n", "' OR 1=1"])
def test_no_other_subject_is_believed(subject: str) -> None:
    with pytest.raises(Unauthorized):
        read_service_token(token(sub=subject), KEY)


@given(name=st.sampled_from(["iss", "aud", "sub", "role", "iat", "exp"]), value=_JSON)
def test_any_other_value_of_a_claim_is_refused(name: str, value: Any) -> None:
    with pytest.raises(Unauthorized):
        read_service_token(token(**{name: value}), KEY)


@given(text=st.text())
def test_any_text_is_refused_as_a_token(text: str) -> None:
    with pytest.raises(Unauthorized):
        read_service_token(text, KEY)
