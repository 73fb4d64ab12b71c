"""Data collection by the script itself, with the classes that Azure ML's scripts use.

`Collector` has the signature of `azureml.ai.monitoring.Collector` (azureml-ai-monitoring 1.0), `ModelDataCollector`
that of v1's `azureml.monitoring.ModelDataCollector`. Both can be imported under those names. What they collect goes
where `collect_model_data` says, sampled by the request's id, so that all records of a request are kept or none.
"""

from __future__ import annotations

import datetime
import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from serving.logs import current

if TYPE_CHECKING:
    from serving.collection.recorder import Recorder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_recorder: Recorder | None = None
_log = logging.getLogger("serving.monitoring")


def use(recorder: Recorder | None) -> None:
    """The worker's recorder; None: the service collects nothing."""
    global _recorder  # noqa: PLW0603 (scripts make collectors without being given anything)
    _recorder = recorder


class CorrelationContext:
    """What records have in common that belong together."""

    @staticmethod
    def get_id() -> str:
        """The id."""
        return ""

    def __str__(self) -> str:
        return self.get_id()

    __repr__ = __str__


class BasicCorrelationContext(CorrelationContext):
    """An id, a time and headers of the script's own."""

    def __init__(
        self, id: str | None = None, timestamp: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Without an id, that of the request being answered."""
        super().__init__()
        self.id = id or current.request_id or str(uuid.uuid4())
        self.timestamp = timestamp or int(time.time())
        self.headers = dict(headers or {})

    def get_id(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The id."""
        return self.id

    def get_timestamp(self) -> int:
        """Seconds since 1970."""
        return self.timestamp

    def get_headers(self) -> dict[str, str]:
        """The headers."""
        return self.headers


def get_context() -> CorrelationContext:
    """A context for the request being answered."""
    return BasicCorrelationContext()


class Collector:
    """Collects pandas DataFrames under a name: `Collector(name="model_inputs").collect(frame)`."""

    def __init__(self, *, name: str, on_error: Callable[[Exception], Any] | None = None) -> None:
        """Without `on_error` the errors are raised.

        Raises:
            ValueError: `name` is not 1-64 letters, digits, `_`, `.` or `-`.
        """
        self.name = name
        self._on_error = on_error or _raise
        if not _NAME.fullmatch(name or ""):
            self._on_error(
                ValueError(f"collection {name!r}: give 1-64 letters, digits, underscores, dots, hyphens")
            )
        elif _recorder is None:
            _log.warning("collection %s: the service's collect_model_data is off; nothing is kept", name)

    def collect(self, data: Any, correlation_context: CorrelationContext | None = None) -> CorrelationContext:
        """Keep a DataFrame's rows; pass the result on to what is collected for the same request.

        Raises:
            TypeError: `data` is no DataFrame (unless `on_error` takes it).
        """
        context = correlation_context or get_context()
        if not (hasattr(data, "to_json") and hasattr(data, "columns")):
            self._on_error(
                TypeError(
                    f"data type ({type(data).__name__}) not supported, supported types: pandas.DataFrame"
                )
            )
        elif _recorder is not None and _recorder.sampled(context.get_id()):
            rows: str = data.to_json(orient="records", date_format="iso")
            _recorder.custom(self.name, rows.encode(), context.get_id())
        return context


class ModelDataCollector:
    """v1's collector: arrays, lists and DataFrames under a designation such as `inputs`."""

    def __init__(
        self,
        model_name: str,
        designation: str = "default",
        feature_names: Sequence[str] | None = None,
        workspace: str = "default/default/default",
        webservice_name: str = "default",
        model_version: str = "default",
        **_unused: object,
    ) -> None:
        """v1's other arguments only named the files.

        Raises:
            ValueError: model name and designation make no name (see `Collector`).
        """
        self._name = f"{model_name}.{designation}"
        self._inputs = designation == "inputs"
        self._columns = list(feature_names) if feature_names is not None else None
        self._about: dict[str, Any] = {
            "$aml_dc_boundary": 60 * 24,
            "$aml_workspace": workspace,
            "$aml_service_name": webservice_name,
            "$aml_model_name": model_name,
            "$aml_model_version": model_version,
        }
        self._added: list[str] = []
        if not _NAME.fullmatch(self._name):
            raise ValueError(
                f"collection {self._name!r}: give 1-64 letters, digits, underscores, dots, hyphens"
            )

    def collect(self, input_data: Any, user_correlation_id: str = "") -> dict[str, Any] | None:
        """Keep rows; for the designation `inputs`, what `add_correlations` adds to rows of the same request.

        Raises:
            TypeError: they cannot be written as JSON.
        """
        correlations = self._correlations(user_correlation_id) if self._inputs else None
        given: Any = input_data
        if hasattr(given, "to_frame") and self._columns is None:
            given = given.to_frame()  # a Series is its one column
        if hasattr(given, "to_dict") and not hasattr(given, "to_frame"):
            given = given.to_dict(orient="records")
        elif hasattr(given, "tolist"):
            given = given.tolist()
        rows = [self._row(row) for row in (cast("list[Any]", given) if isinstance(given, list) else [given])]
        if _recorder is not None:
            _recorder.custom(self._name, json.dumps(rows).encode(), user_correlation_id)
        return correlations

    def _correlations(self, user_id: str) -> dict[str, Any]:
        unique = str(uuid.uuid4())
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        return {
            "$aml_dc_correlation_id": f"{user_id}-{unique}" if user_id else unique,
            "$aml_dc_scoring_timestamp": now.isoformat(),
            **self._about,
            "$aml_request_id": current.request_id,
        }

    def add_correlations(self, input_data: Any, correlations: Mapping[str, Any] | None) -> Any:
        """Rows with the columns of `collect()`'s result after their own: a list, an array or a DataFrame, as given."""
        if correlations is None:
            return input_data
        self._added = list(correlations)
        if isinstance(input_data, list):
            return [*cast("list[Any]", input_data), *correlations.values()]
        if hasattr(input_data, "columns"):
            frame = input_data.copy(deep=False)
            for name, value in correlations.items():
                frame.insert(len(frame.columns), name, value)
            return frame
        import numpy

        rows: Any = numpy.atleast_2d(input_data)
        more = numpy.array([list(correlations.values())] * len(rows), dtype=object)
        return numpy.append(rows.astype(object), more, axis=1)

    def _row(self, row: Any) -> Any:
        if self._columns is None or isinstance(row, dict):
            return cast("Any", row)
        if not isinstance(row, list):
            if len(self._columns) != 1:
                return row
            row = [row]  # rows of one feature are given as values
        return dict(zip([*self._columns, *self._added], cast("list[Any]", row), strict=False))


def _raise(problem: Exception) -> None:
    raise problem
