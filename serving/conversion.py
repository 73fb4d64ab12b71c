"""inference-schema's conversions to DataFrames and arrays, made short where the result is certain to be the same.

inference-schema writes the decoded body as JSON once more, has pandas read that, and looks at an array's type for
every row. Here a column of plain numbers, booleans or strings becomes an array at once. What `read_json` does beyond
that is kept: it reads decimals with an error in the last digits, so they take the same way through its parser; columns
of any other kind, or whose name makes it look for dates, go through `read_json` alone (columns do not depend on each
other). All doubts and every exception lead to inference-schema's own code, so that errors are its own too.

The conversions are methods of its parameter types, so they happen where they always did: inside `run()`'s time, also
for types nested in others, for optional parameters and for joined batches.
"""

from __future__ import annotations

import functools
import io
import json
import logging
import sys
from collections.abc import Callable
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple, cast

try:
    import msgspec

    _encode: Callable[[Any], bytes] | None = msgspec.json.Encoder().encode
except ImportError:  # an environment made before it was asked for
    _encode = None

_Convert = Callable[[Any, Any], Any]
_NOTHING = type(None)
_ALIKE = {bool, int, str, _NOTHING}
_NUMBERS = {int, float, _NOTHING}
_LONG = 500
_SMALLEST, _LARGEST = 1e-4, 1e15
"""Between these, all programs write a float's shortest decimal form alike, and whole numbers are exact."""


def install() -> None:
    """Shorten the conversions of the parameter types that the script has imported."""
    for name, make in (("pandas", _frames), ("numpy", _arrays)):
        module = sys.modules.get(f"inference_schema.parameter_types.{name}_parameter_type")
        if module is not None:
            kind = getattr(module, f"{name.capitalize()}ParameterType")
            if not hasattr(kind.deserialize_input, "__wrapped__"):
                make(kind)


def _shorten(kind: Any, short: _Convert) -> None:
    plain: _Convert = kind.deserialize_input

    @functools.wraps(plain)
    def deserialize_input(self: Any, input_data: Any) -> Any:
        try:
            found = short(self, input_data)
        except Exception:
            found = None
        return plain(self, input_data) if found is None else found

    kind.deserialize_input = deserialize_input


# -- arrays ----


def _arrays(kind: Any) -> None:
    import numpy as np

    def array(self: Any, given: Any) -> Any:
        dtype = self.sample_input.dtype
        # Fields, dates and durations are taken apart row by row; everything else is given to NumPy as it is.
        if not isinstance(given, list) or not self.enforce_column_type or dtype.names or dtype.kind in "mM":
            return None
        found: Any = np.array(cast("Any", given), dtype=dtype)
        expected = self.sample_input.shape
        alike = len(expected) == found.ndim and expected[1:] == found.shape[1:]
        return found if alike or not self.enforce_shape else None

    _shorten(kind, array)


# -- frames ----


class _Table(NamedTuple):
    """A body's columns, all of one length; `labels` are those of the rows, None where none were sent."""

    names: tuple[Any, ...]
    columns: list[Any]
    labels: list[Any] | None


def _records(given: Any) -> _Table | None:
    if not isinstance(given, list) or set(map(type, cast("list[Any]", given))) != {dict}:
        return None
    rows = cast("list[dict[str, Any]]", given)
    names = tuple(rows[0])
    if set(map(len, rows)) != {len(names)}:
        return None
    return _Table(names, [list(map(itemgetter(name), rows)) for name in names], None)


def _split(given: Any) -> _Table | None:
    if not isinstance(given, dict) or not given.keys() <= {"columns", "index", "data"}:
        return None
    table = cast("dict[str, Any]", given)
    names: Any = table["columns"]
    rows: Any = table["data"]
    index: Any = table.get("index")
    if {type(names), *map(type, rows)} != {list} or set(map(len, rows)) != {len(names)}:
        return None
    if "index" in table and ({type(index)} != {list} or len(index) != len(rows)):
        return None
    return _Table(tuple(names), list(zip(*rows, strict=True)), index)


def _frames(kind: Any) -> None:
    if _encode is None:
        return
    if frames().proven(kind):
        _shorten(kind, frames().convert)
    else:
        logging.getLogger("serving").warning(
            "DataFrames are converted in inference-schema's own way: its results with pandas %s are not known here",
            frames().pandas.__version__,
        )


@functools.cache
def frames() -> Frames:
    """The one that is in use."""
    return Frames()


class Frames:
    """What `PandasParameterType` makes of lists of records and of the orient `split`."""

    def __init__(self) -> None:
        import numpy
        import pandas  # pyright: ignore[reportMissingTypeStubs]

        self.numpy: Any = numpy
        self.pandas: Any = pandas
        parser = sys.modules["pandas.io.json"]
        self._loads: Callable[[str], Any] = (
            getattr(parser, "ujson_loads", None) or parser.loads
        )  # pandas 1 had `loads`
        self._axes = functools.lru_cache(maxsize=64)(self._find_axes)

    def proven(self, kind: Any) -> bool:
        """Whether both ways agree on all that goes the short one: pandas' next version may do otherwise."""
        rows = [
            {
                "whole": 1,
                "part": 0.3,
                "long": 0.123456789012345678,
                "mixed": 1,
                "hole": None,
                "b": True,
                "s": "a",
            },
            {
                "whole": -7,
                "part": 1e14 / 7,
                "long": -98.7654321,
                "mixed": 2.7,
                "hole": 3.3,
                "b": False,
                "s": "ü",
            },
            {"whole": 2**53 + 1, "part": -0.0, "long": 7e-4, "mixed": 0, "hole": 12, "b": True, "s": ""},
        ]
        split = {"columns": list(rows[0]), "index": [0, 1, 2], "data": [list(row.values()) for row in rows]}
        sample = self.pandas.DataFrame(rows)
        for orient, given in (("records", rows), ("split", split)):
            parameter = kind(sample, orient=orient)
            plain, short = parameter.deserialize_input(given), self.convert(parameter, given)
            try:
                self.pandas.testing.assert_frame_equal(
                    plain, short, check_exact=True, check_column_type="exact"
                )
            except (AssertionError, AttributeError):
                return False
            if type(plain.index) is not type(short.index):
                return False
        return True

    def convert(self, parameter: Any, given: Any) -> Any:
        """The frame, or None when it is not certain."""
        read = {"records": _records, "split": _split}.get(parameter.orient)
        table = None if read is None or parameter.apply_column_names else read(given)
        if table is None or (not table.names or set(map(type, table.names)) != {str}):
            return None
        sample = parameter.sample_input
        if parameter.enforce_shape and sample.shape[1:] != (len(table.columns),):
            return None
        wanted: list[Any] = [None] * len(table.names)
        if parameter.enforce_column_type:
            known = dict(zip(sample.columns.tolist(), sample.dtypes.tolist(), strict=True))
            wanted = [known.get(name, object) for name in table.names]
            if any(getattr(dtype, "kind", "") == "m" for dtype in wanted):
                return None
        frame = self._frame(parameter.orient, table, wanted)
        if frame is None or not parameter.enforce_column_type:
            return frame
        have = zip(table.names, wanted, frame.dtypes.tolist(), strict=True)
        changed = {name: dtype for name, dtype, now in have if dtype != now}
        return frame.astype(dtype=changed) if changed else frame

    def _frame(self, orient: str, table: _Table, wanted: list[Any]) -> Any:
        names, columns, labels = table
        axes = self._axes(names, orient, labels is not None)
        if axes is None:
            return None
        found: list[Any] = []
        for name, values, dtype in zip(names, columns, wanted, strict=True):
            dated = _may_be_date(name)
            column = (
                self._repeated(name, values, dtype) if dated or getattr(dtype, "kind", "") == "M" else None
            )
            found.append(self._column(values) if column is None and not dated else column)
        rest = [position for position, column in enumerate(found) if column is None]
        if rest:
            others = self._read([names[i] for i in rest], [columns[i] for i in rest])
            for number, position in enumerate(rest):
                found[position] = others.iloc[:, number]
        frame = self.pandas.DataFrame(dict(enumerate(found)))
        if labels is not None:
            frame.index = self._index(labels)
        elif type(axes.index) is not type(frame.index):
            return None
        # A copy: scripts may rename what they were given.
        frame.columns = axes.columns.copy(deep=True)
        return frame

    def _find_axes(self, names: tuple[str, ...], orient: str, indexed: bool) -> Any:
        """A frame of zeros with these names, or None when `read_json` changes them: repeated ones, dates, numbers."""
        row = dict.fromkeys(names, 0)
        text: Any = [row] * 2
        if orient == "split":
            text = {"columns": names, "data": [[*row.values()]] * 2, **({"index": [0, 1]} if indexed else {})}
        frame = self.pandas.read_json(io.StringIO(json.dumps(text)), orient=orient, dtype=False)
        return frame if frame.columns.tolist() == list(names) else None

    def _index(self, labels: list[Any]) -> Any:
        if set(map(type, labels)) == {int} and labels == list(range(len(labels))):
            return self.pandas.Index(labels)
        # The column's name is none that would be taken for a date.
        text = json.dumps({"columns": ["x-"], "index": labels, "data": [[0]] * len(labels)})
        return self.pandas.read_json(io.StringIO(text), orient="split", dtype=False).index

    def _repeated(self, name: str, values: Any, wanted: Any) -> Any:
        """A long column of few texts, of which each is read and converted once; None for others."""
        if len(values) < _LONG or not set(map(type, values)) <= {str, _NOTHING}:
            return None
        places = {value: place for place, value in enumerate(dict.fromkeys(values))}
        if 2 * len(places) > len(values):
            return None
        read = self._read([name], [list(places)]).iloc[:, 0]
        if wanted is not None:
            read = read.astype(wanted)
        return read.take([places[value] for value in values]).reset_index(drop=True)

    def _read(self, names: list[str], columns: list[Any]) -> Any:
        """Columns as `read_json` reads them."""
        table = {"columns": names, "data": list(zip(*columns, strict=True))}
        assert _encode is not None
        # How a float is written decides how it is read; everything else that is the same JSON is read alike.
        same = set(map(type, chain.from_iterable(columns))) <= _ALIKE
        text = _encode(table).decode() if same else json.dumps(table)
        return self.pandas.read_json(io.StringIO(text), orient="split", dtype=False, convert_axes=False)

    def _column(self, values: Any) -> Any:
        """What `read_json` makes of a column, or None for those that it must read itself."""
        types = set(map(type, values))
        if len(types) == 1:
            kind = next(iter(types))
            if kind is str:
                "".join(values).encode()  # raises for what is no text: half of a surrogate pair
                return list(values)
            if kind is bool:
                return self.numpy.array(values)
            if kind is int:
                found = self.numpy.array(values)
                return found if found.dtype == self.numpy.int64 else None
        return self._floats(values) if types <= _NUMBERS and types != {_NOTHING} else None

    def _floats(self, values: Any) -> Any:
        """`read_json` adds up the digits of a number's shortest decimal form, and its sum is not the number."""
        numpy = self.numpy
        assert _encode is not None
        sizes = numpy.abs(numpy.array(values, dtype=numpy.float64))
        found = numpy.array(self._loads(_encode(values).decode()), dtype=numpy.float64)
        usual = ((sizes >= _SMALLEST) & (sizes < _LARGEST)) | (sizes == 0)
        if not usual.all():
            # Exponents are written in more than one way, and NaN only by Python.
            where = [int(i) for i in numpy.flatnonzero(~usual) if values[i] is not None]
            unusual = [values[i] for i in where]
            if int in map(type, unusual):
                return None
            found[where] = self._loads(json.dumps(unusual))
        # A column of nothing but missing values is no column of numbers.
        return None if numpy.isnan(found).all() else found


def _may_be_date(name: str) -> bool:
    """Whether `read_json` might look for dates in a column of this name; it looks in fewer."""
    name = name.lower()
    return "date" in name or "time" in name or name == "modified" or name.endswith("_at")
