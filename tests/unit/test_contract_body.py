import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_contract.body import read_object
from api_contract.errors import InvalidRequest

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**38), 10**38) | _TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner),
)


@given(body=st.binary())
def test_bytes_are_an_object_or_an_invalid_request(body: bytes) -> None:
    with suppress(InvalidRequest):
        assert isinstance(read_object(body), dict)


@given(value=st.dictionaries(_TEXT, _VALUES))
def test_every_sound_object_is_read_as_it_is(value: dict[str, Any]) -> None:
    assert read_object(json.dumps(value).encode()) == value
    assert read_object(json.dumps(value, ensure_ascii=False).encode()) == value


@given(value=st.sampled_from([math.nan, math.inf, -math.inf, 10**41, "\x00", "\ud800", "a\udfffb"]), name=_TEXT)
def test_what_json_should_not_hold_is_refused_at_any_depth(value: object, name: str) -> None:
    with pytest.raises(InvalidRequest):
        read_object(json.dumps({"outer": {name: value}}).encode())


@given(name=st.text(min_size=1))
def test_a_name_that_stands_twice_is_refused(name: str) -> None:
    key = json.dumps(name)
    with pytest.raises(InvalidRequest) as refused:
        read_object(f"{{{key}: 1, {key}: 1}}".encode())
    assert len(refused.value.details["field"]) <= 64
    refused.value.details["field"].encode()
