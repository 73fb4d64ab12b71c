"""The wire format: nothing is lost, secrets never show themselves, differences have property paths."""

from __future__ import annotations

import pytest
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from mldeploy.values.difference import difference
from mldeploy.values.marshal import decode, encode
from mldeploy.values.property_value import UNKNOWN, Secret, contains_secrets, contains_unknowns, reveal

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=8), plain, max_size=4))
def test_values_come_back_as_they_went(values):
    assert decode(encode(values)) == values


@given(st.dictionaries(st.text(max_size=8), plain, max_size=4))
def test_nothing_differs_from_itself(values):
    assert difference(values, values) == {}


def test_secrets_and_unknowns_keep_their_nature():
    values = {"a": Secret({"b": ["x"]}), "c": [UNKNOWN], "d": Secret(UNKNOWN)}
    back = decode(encode(values))
    assert back["a"] == Secret({"b": ["x"]}) and back["c"] == [UNKNOWN]
    assert contains_secrets(back) and contains_unknowns(back["d"]) and not contains_unknowns(back["a"])
    assert reveal(back)["a"] == {"b": ["x"]}


def test_a_secret_does_not_show_itself():
    assert "hush" not in f"{Secret('hush')} {Secret('hush')!r} {[Secret('hush')]}"


def test_output_values_are_understood():
    signature, output = "4dabf18193072939515e22adb298388d", "d0e6a833031e9bbcd3f4e8bde6ca49a4"
    struct = struct_pb2.Struct()
    struct.update(
        {
            "known": {signature: output, "value": "v", "secret": True},
            "unknown": {signature: output},
        }
    )
    assert decode(struct) == {"known": Secret("v"), "unknown": UNKNOWN}


def test_assets_are_refused():
    struct = struct_pb2.Struct()
    struct.update(
        {"a": {"4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17", "text": "t"}}
    )
    with pytest.raises(ValueError, match="give a path"):
        decode(struct)


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ({"a": 1}, {"a": 1.0}, {}),
        ({"a": 1}, {"a": True}, {"a": "update"}),
        ({"a": None}, {}, {}),
        ({}, {"a": 1}, {"a": "add"}),
        ({"a": 1}, {}, {"a": "delete"}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}, 3]}, {"a[0].b": "update", "a[1]": "add"}),
        ({"a": {"x.y": 1}}, {"a": {"x.y": 2}}, {'a["x.y"]': "update"}),
        ({"a": UNKNOWN}, {"a": UNKNOWN}, {"a": "update"}),
    ],
)
def test_differences(old, new, paths):
    assert difference(old, new) == paths
