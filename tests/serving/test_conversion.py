"""The short conversions give what inference-schema's own give: values bit for bit, types, labels, errors.

Runs with any pandas: `pytest --noconftest tests/serving/test_conversion.py` in an environment with another version.
"""

from __future__ import annotations

import copy
import json
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType

from serving import conversion, script

conversion.install()
Plain = Callable[[Any, Any], Any]
plain_frame: Plain = PandasParameterType.deserialize_input.__wrapped__
plain_array: Plain = NumpyParameterType.deserialize_input.__wrapped__

EXAMPLES = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))

FLOATS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1, 1),
    st.floats(-1e6, 1e6),
    st.decimals(-99999, 99999, places=2).map(float),
    st.sampled_from(
        [0.0, -0.0, 0.1, 0.3, 1e-4, 9.999e-5, 1e15, 1e16, 1e22, 5e-324, 1.7976931348623157e308, 2.0**53]
    ),
)
INTS = st.one_of(
    st.integers(-100, 100),
    st.integers(-(2**64), 2**65),
    st.sampled_from([2**53 + 1, 2**63 - 1, -(2**63), 2**63, 31536001]),
)
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            "",
            "nan",
            "NaN",
            "None",
            "null",
            "1",
            "1.5",
            "true",
            "2020-01-01",
            "noon",
            "Jan",
            "ü",
            "\0",
            "😀",
            "inf",
        ]
    ),
    st.dates().map(str),
)
DATES = st.datetimes(min_value=pd.Timestamp(1970, 1, 2), max_value=pd.Timestamp(2200, 1, 1)).map(
    lambda d: d.isoformat()
)
ODD = st.one_of(
    st.lists(INTS, max_size=2),
    st.dictionaries(st.text(max_size=2), FLOATS, max_size=2),
    st.sampled_from([math.nan, math.inf]),
)
COLUMNS: list[st.SearchStrategy[Any]] = [
    FLOATS, INTS, TEXTS, DATES, st.booleans(), st.integers(-100, 100), st.floats(-100, 100), ODD, st.none(),
    st.integers(31536001, 2**40), st.one_of(FLOATS, INTS), st.one_of(st.booleans(), INTS), st.one_of(FLOATS, TEXTS),
]  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(
        ["a", "b", "Age", "date", "created_at", "timestamp", "timestamp_x", "my_time", "modified", "DATE"]
    ),
    st.sampled_from(
        ["2020-01-01", "1", "2", "1.5", "x-1", "noon", "May", "", "index", "columns", "datetime"]
    ),
    st.text(max_size=4),
)
DTYPES = [
    "float64", "float32", "int64", "int32", "int8", "bool", "object", "str", "category", "string", "Int64", "Float64",
    "datetime64[ns]", "timedelta64[ns]", "datetime64[ns, UTC]",
]  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[Any]]]:
    """Names, and rows as long."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=draw(st.integers(0, 9)) > 0))
    count = draw(st.integers(1, 6))
    columns: list[list[Any]] = []
    for _ in names:
        kind = draw(st.sampled_from(COLUMNS))
        kind = st.one_of(kind, st.none()) if draw(st.integers(0, 3)) == 0 else kind
        columns.append(draw(st.lists(kind, min_size=count, max_size=count)))
    if draw(st.integers(0, 9)) == 0:
        columns = [column * 200 for column in columns]
    return names, [list(row) for row in zip(*columns, strict=True)]


def outcome(call: Callable[[], Any]) -> tuple[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return "", call()
        except Exception as problem:
            return f"{type(problem).__name__}: {problem}", None


def same_bits(one: Any, other: Any) -> bool:
    """The same object in all that a script can see of it."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (float, np.floating)):
        return np.float64(one).tobytes() == np.float64(other).tobytes() or (
            math.isnan(one) and math.isnan(other)
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same_bits, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(map(same_bits, one.values(), other.values()))
    return bool(one is other or one == other or (pd.isna(one) and pd.isna(other)))


def assert_same_frames(one: pd.DataFrame, other: pd.DataFrame) -> None:
    assert one.shape == other.shape
    assert list(one.dtypes) == list(other.dtypes)
    for axis in ("columns", "index"):
        left, right = getattr(one, axis), getattr(other, axis)
        assert type(left) is type(right), axis
        assert left.dtype == right.dtype, axis
        assert left.names == right.names, axis
        assert all(map(same_bits, list(left), list(right))), axis
    for position in range(one.shape[1]):
        left, right = one.iloc[:, position], other.iloc[:, position]
        if left.dtype == np.float64:
            assert left.to_numpy().tobytes() == right.to_numpy().tobytes(), (left, right)
        assert all(map(same_bits, left.tolist(), right.tolist())), (left, right)
        assert type(left.array) is type(right.array)
    if one.dtypes.nunique() == 1:
        flags = [(f.to_numpy().flags.c_contiguous, f.to_numpy().flags.f_contiguous) for f in (one, other)]
        assert flags[0] == flags[1], "sums in another order can differ in the last bit"


def compare(parameter: PandasParameterType, body: Any) -> None:
    wanted, expected = outcome(lambda: plain_frame(parameter, copy.deepcopy(body)))
    message, found = outcome(lambda: parameter.deserialize_input(copy.deepcopy(body)))
    assert message == wanted
    if expected is not None:
        assert_same_frames(found, expected)


def sample_of(names: list[str], dtypes: list[str]) -> pd.DataFrame:
    zeros = {
        "timedelta64[ns]": pd.Timedelta(0),
        "datetime64[ns, UTC]": pd.Timestamp(0, tz="UTC"),
        "str": "",
        "string": "",
    }
    columns = [pd.Series([zeros.get(dtype, 0)]).astype(dtype) for dtype in dtypes]
    frame = pd.concat(columns, axis=1)
    frame.columns = names
    return frame


@EXAMPLES
@given(st.data())
def test_frames_are_the_same(data: st.DataObject) -> None:
    names, rows = data.draw(tables())
    dtypes = data.draw(st.lists(st.sampled_from(DTYPES), min_size=len(names), max_size=len(names)))
    orient = data.draw(st.sampled_from(["records", "split", "split", "values", "columns"]))
    options = {"enforce_column_type": data.draw(st.booleans()), "enforce_shape": data.draw(st.booleans())}
    parameter = PandasParameterType(sample_of(names, dtypes), orient=orient, **options)
    body: Any = [dict(zip(names, row, strict=True)) for row in rows]
    if orient == "split":
        body = {"columns": names, "data": rows}
        index = data.draw(st.sampled_from(["", "count", "dates", "texts", "odd"]))
        if index:
            body["index"] = {
                "count": list(range(len(rows))),
                "dates": list(range(31536001, 31536001 + len(rows))),
                "texts": [f"r{i}" for i in range(len(rows))],
                "odd": [1.5] * len(rows),
            }[index]
    elif orient == "values":
        body = rows
    elif orient == "columns":
        body = {name: {str(i): row[n] for i, row in enumerate(rows)} for n, name in enumerate(names)}
    compare(parameter, body)


@EXAMPLES
@given(st.data())
def test_irregular_tables_are_the_same(data: st.DataObject) -> None:
    """Missing and additional keys, short and long rows, rows that are no rows."""
    names, rows = data.draw(tables())
    body: Any = [dict(zip(names, row, strict=True)) for row in rows]
    orient = data.draw(st.sampled_from(["records", "split"]))
    if orient == "split":
        body = {"columns": names, "data": rows}
    row = data.draw(st.sampled_from(body if orient == "records" else rows))
    damage = data.draw(st.sampled_from(["less", "more", "none", "swap", "key"]))
    if damage == "none":
        (body if orient == "records" else rows).append(data.draw(st.sampled_from([None, 1, [], {}, "ab"])))
    elif isinstance(row, dict):
        if damage == "less":
            row.pop(next(iter(row)))
        elif damage == "more":
            row["another"] = 1
        else:
            row.update({"z": row.pop(next(iter(row)))} if damage == "swap" else {})
    elif damage == "less":
        row.pop()
    elif damage == "more":
        row.append(1)
    elif damage == "key":
        body["more"] = 1
    compare(
        PandasParameterType(
            sample_of(["a"], ["float64"]), orient=orient, enforce_shape=data.draw(st.booleans())
        ),
        body,
    )


@EXAMPLES
@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=40), st.booleans())
def test_decimals_have_the_bits_of_read_json(values: list[float], small: bool) -> None:
    values = [math.fmod(v, 1000.0) if math.isfinite(v) else v for v in values] if small else values
    compare(PandasParameterType(pd.DataFrame({"x": [0.5]})), [{"x": value} for value in values])


@pytest.mark.parametrize("seed", range(5))
def test_many_random_decimals(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = [
        float(v)
        for v in np.concatenate(
            [generator.random(3000), generator.normal(size=3000) * 10.0 ** generator.integers(-4, 14, 3000)]
        )
    ]
    assert short_way(
        PandasParameterType(pd.DataFrame({"x": [0.5]})), [{"x": v} for v in values if abs(v) >= 1e-4]
    )
    compare(PandasParameterType(pd.DataFrame({"x": [0.5]})), [{"x": value} for value in values])


def short_way(parameter: PandasParameterType, body: Any) -> bool:
    """Whether a body is converted without inference-schema's own code."""
    return conversion.frames().convert(parameter, body) is not None


def test_usual_tables_take_the_short_way() -> None:
    rows = [
        {"n": 1, "x": 0.5, "s": "a", "b": True, "hole": None},
        {"n": 2, "x": 3, "s": "b", "b": False, "hole": 2.5},
    ]
    sample = pd.DataFrame(rows).assign(day=pd.Timestamp(0), s=pd.Categorical(["a", "b"]))
    for row in rows:
        row["day"] = "2026-01-02"
    split = {"columns": list(rows[0]), "index": ["r", "q"], "data": [list(row.values()) for row in rows]}
    for orient, body in (("records", rows), ("split", split)):
        parameter = PandasParameterType(sample, orient=orient)
        assert short_way(parameter, body)
        compare(parameter, body)


def test_a_script_may_change_what_it_is_given() -> None:
    parameter = PandasParameterType(pd.DataFrame({"x": [0.5], "y": [1]}))
    frame = parameter.deserialize_input([{"x": 1.5, "y": 2}])
    frame.columns.name = "changed"
    frame.columns = ["z", "y"]
    frame.loc[0, "y"] = 7
    again = parameter.deserialize_input([{"x": 1.5, "y": 2}])
    assert again.columns.name is None
    assert again.to_dict(orient="records") == [{"x": 1.5, "y": 2}]


ARRAYS = [
    np.zeros((2, 3)), np.zeros((2, 3), "f4"), np.zeros(2, "i8"), np.zeros((1, 2, 2), "i1"), np.zeros((2, 3), bool),
    np.array(["ab", "c"]), np.zeros(2, object), np.zeros(2, "M8[ns]"), np.zeros(2, "m8[s]"),
    np.zeros(2, [("a", "i4"), ("b", "f8")]), np.zeros((2, 3), "complex64"), np.zeros(2, "S3"),
]  # fmt: skip
ITEMS = st.recursive(
    st.one_of(FLOATS, INTS, st.booleans(), st.none(), st.sampled_from(["2020-01-01", "3 days", "1.5", "x"])),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@EXAMPLES
@given(
    st.sampled_from(ARRAYS),
    st.one_of(ITEMS, st.lists(st.lists(FLOATS, min_size=3, max_size=3), min_size=1)),
    st.booleans(),
    st.booleans(),
)
def test_arrays_are_the_same(sample: Any, body: Any, types: bool, shape: bool) -> None:
    parameter = NumpyParameterType(sample, enforce_column_type=types, enforce_shape=shape)
    wanted, expected = outcome(lambda: plain_array(parameter, copy.deepcopy(body)))
    message, found = outcome(lambda: parameter.deserialize_input(copy.deepcopy(body)))
    assert message == wanted
    if expected is not None:
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        assert found.strides == expected.strides
        if found.dtype.kind == "O":
            assert same_bits(found.tolist(), expected.tolist())
        else:
            assert found.tobytes() == expected.tobytes()


ATOMS = st.one_of(
    FLOATS.map(json.dumps),
    INTS.map(json.dumps),
    TEXTS.map(json.dumps),
    st.text(max_size=5).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(
        ["true", "null", "NaN", "-Infinity", "1e400", "-0", "-0.0", "1E5", "1.", ".5", "01", "1e-400"]
    ),
    st.sampled_from(
        ['"\\ud800"', '"\\u0000"', '"\t"', '"\\x"', '"\\ud83d\\ude00"', '"\\/"', "tru", "'a'", "[1,]", ""]
    ),
    st.sampled_from(["9" * 400, "0." + "1" * 400, "123456789012345678901", "+1"]),
)
JSON = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(st.sampled_from(['"a"', '"b"', '"ü"', "1"]), inner), max_size=4).map(
            lambda items: "{" + ",".join(f"{k}: {v}" for k, v in items) + "}"
        ),
    ),
    max_leaves=8,
)
CODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"])
AFTER = st.sampled_from(["", " ", "\n", "x", "\0"])


@EXAMPLES
@given(JSON, CODINGS, AFTER, st.booleans())
def test_bodies_are_decoded_as_by_json(text: str, coding: str, after: str, wrap: bool) -> None:
    body = ((f'{{"data": {text}}}' if wrap else text) + after).encode(coding, "replace")
    wanted, expected = outcome(lambda: json.loads(body))
    message, found = outcome(lambda: script.loads(body))
    assert message == wanted
    assert same_bits(found, expected)
