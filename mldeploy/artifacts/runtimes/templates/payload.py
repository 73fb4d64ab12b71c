"""Requests of all the shapes that clients of models send, as one table; what does not fit the model is a 400.

Taken are: {"data": ...} (Azure ML), {"inputs": ...}, {"instances": ...}, {"dataframe_split": ...},
{"dataframe_records": ...} (MLflow), {"input_data": ...} (Azure ML's endpoints), a bare list, and CSV with a header.
"""

import csv
import io
import json

from azureml.contrib.services.aml_response import AMLResponse

KEYS = ("data", "inputs", "instances", "dataframe_split", "dataframe_records", "input_data")


class BadRequest(Exception):
    """The request does not fit the model; the message says where and what does."""


class Table:
    """Rows of one request. `names` is None where the client sent none."""

    def __init__(self, names, rows):
        self.names = names
        self.rows = rows

    def arranged(self, names, count):
        """The rows with the model's columns in the model's order.

        Args:
            names: the model's columns, or None where it has no names for them.
            count: how many it takes, or None where it does not say.
        """
        if names and self.names:
            return self._by_name(list(names))
        wanted = count or (len(names) if names else None)
        for number, row in enumerate(self.rows):
            if not isinstance(row, list):
                raise BadRequest(
                    f"row {number} is {type(row).__name__}; a list of values is needed for each row"
                )
            if wanted is not None and len(row) != wanted:
                shown = f": {', '.join(map(str, names))}" if names else ""
                raise BadRequest(f"row {number} has {len(row)} values; the model takes {wanted}{shown}")
        return self.rows

    def _by_name(self, names):
        missing = [name for name in names if name not in self.names]
        unknown = [name for name in self.names if name not in names]
        if missing:
            more = f" (there is {', '.join(map(repr, unknown))})" if unknown else ""
            raise BadRequest(
                f"column {missing[0]!r} is missing{more}; the model takes: {', '.join(map(str, names))}"
            )
        if unknown:
            raise BadRequest(f"column {unknown[0]!r} is none of the model's: {', '.join(map(str, names))}")
        places = [self.names.index(name) for name in names]
        for number, row in enumerate(self.rows):
            if len(row) != len(self.names):
                raise BadRequest(f"row {number} has {len(row)} values for {len(self.names)} columns")
        return [[row[place] for place in places] for row in self.rows]


def numbers(rows, names=None):
    """Rows of numbers; None is a missing one, and texts that are numbers are taken, since CSV has no others."""
    return [
        [_number(value, row, column, names) for column, value in enumerate(its)]
        for row, its in enumerate(rows)
    ]


def _number(value, row, column, names):
    if value is None or value == "":
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError):
        name = repr(str(names[column])) if names is not None else column
        raise BadRequest(f"row {row}, column {name}: {value!r} is no number") from None


def read(body):
    """The table in a request's body, and the rest of what it asks for.

    Returns:
        The table, and the mapping that was sent (empty for lists and CSV).
    """
    text = body.strip()
    if not text:
        raise BadRequest(f"the body is empty; send JSON with one of: {', '.join(KEYS)}")
    if text[0] not in "{[":
        return _csv(text), {}
    try:
        given = json.loads(text)
    except ValueError as problem:
        raise BadRequest(f"the body is no JSON: {problem}") from None
    if isinstance(given, list):
        return table(given), {}
    key = next((key for key in KEYS if key in given), None)
    if key is None:
        raise BadRequest(
            f"the body has none of {', '.join(KEYS)}; it has: {', '.join(map(str, given)) or 'nothing'}"
        )
    return table(given[key]), given


def table(given):
    """A table of rows, of records, of columns, or of columns and rows as pandas' orient "split" has them."""
    if isinstance(given, dict):
        if "columns" in given and "data" in given:
            return Table(list(given["columns"]), list(given["data"]))
        columns = {name: value if isinstance(value, list) else [value] for name, value in given.items()}
        if len({len(value) for value in columns.values()}) != 1:
            raise BadRequest("the columns have different numbers of values")
        return Table(list(columns), [list(row) for row in zip(*columns.values())])
    if not isinstance(given, list) or not given:
        raise BadRequest("a list of rows is needed, with at least one row")
    if all(isinstance(row, dict) for row in given):
        names = list(dict.fromkeys(name for row in given for name in row))
        for number, row in enumerate(given):
            absent = [name for name in names if name not in row]
            if absent:
                raise BadRequest(f"row {number} has no value for column {absent[0]!r}")
        return Table(names, [[row[name] for name in names] for row in given])
    return Table(None, given)


def _csv(text):
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    if len(rows) < 2:
        raise BadRequest("CSV needs a header and at least one row")
    for number, row in enumerate(rows[1:]):
        if len(row) != len(rows[0]):
            raise BadRequest(f"row {number} has {len(row)} values for {len(rows[0])} columns")
    return Table(rows[0], rows[1:])


def frame(rows, names):
    """A DataFrame in which texts that came by CSV are numbers where a whole column is."""
    import pandas as pd

    found = pd.DataFrame(rows, columns=names)
    for name in found.columns:
        if found[name].dtype == object or str(found[name].dtype).startswith(("str", "string")):
            try:
                found[name] = pd.to_numeric(found[name])
            except (TypeError, ValueError):
                continue
    return found


def answering(run):
    """Decorates run(): what does not fit becomes an answer with status 400 that says so."""

    def answered(data):
        try:
            return run(data)
        except BadRequest as problem:
            return AMLResponse({"error": str(problem)}, 400, json_str=True)

    return answered
