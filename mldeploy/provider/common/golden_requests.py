"""What every gate has in common: the `golden` input, requests whose right answers are known, and when they are sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mldeploy.artifacts.content import ContentError, file_hash, text_digest
from mldeploy.artifacts.sources import inside
from mldeploy.provider.common.golden import (
    GOLDEN_HEADER,
    SERVER_SENT_EVENTS,
    mismatch,
    pieces_mismatch,
    pieces_of,
)
from mldeploy.provider.framework.declare import (
    Declaration,
    In,
    Many,
    One,
    Opt,
    Or,
    Out,
    computed,
    field,
    output,
)
from mldeploy.provider.framework.resource import Change, CheckError, Context, Resource, known

_TRIES = 3


class LateError(Exception):
    """The first piece of an answer came late: after how many milliseconds, and how many are allowed."""

    def __init__(self, took: float, limit: int) -> None:
        super().__init__(f"the first piece came after {took:.0f} ms; allowed: first_byte_ms {limit}")
        self.took = took


class Heard(Protocol):
    """An answer, as whoever sent the request heard it."""

    @property
    def status(self) -> int: ...

    @property
    def content_type(self) -> str: ...

    @property
    def body(self) -> bytes: ...

    @property
    def first_seconds(self) -> float:
        """How long it took until the first byte of the body was there."""
        ...


class GoldenStream(Declaration):
    """What an answer in pieces has to be like."""

    pieces: Opt[str] = field("A file of the project: the expected pieces, one a line.", default=None)
    first_byte_ms: Opt[int] = field(
        "Within how many milliseconds the first piece is there.", default=None, minimum=1
    )
    events: Or[bool] = field(
        "Whether server-sent events are asked for, instead of JSON lines.", default=False
    )


class GoldenRequest(Declaration):
    """A request, and the answer that it must get."""

    request: In[str] = field("A file of the project: the request's body.")
    response: Opt[str] = field("A file of the project: the expected body.", default=None)
    tolerance: Or[float] = field(
        "By how much numbers may differ, absolute or relative.", default=0.0, minimum=0
    )
    content_type: Opt[str] = field("The request's content type; by default from the file name.", default=None)
    stream: One[GoldenStream] = field("The answer comes in pieces, and what they are.", default=None)

    @property
    def media_type(self) -> str:
        """The `Content-Type` that it is sent with."""
        default = "application/json" if Path(self.request).suffix == ".json" else "application/octet-stream"
        return self.content_type or default

    def body(self, root: Path) -> bytes:
        """What is sent."""
        return inside(self.request, root).read_bytes()

    @property
    def headers(self) -> dict[str, str]:
        """The headers that it is sent with."""
        return {"Content-Type": self.media_type, "Accept": self.accept, GOLDEN_HEADER: "true"}

    @property
    def accept(self) -> str:
        """The `Accept` that it is sent with."""
        return SERVER_SENT_EVENTS if self.stream and self.stream.events else "*/*"

    @property
    def files(self) -> dict[str, str | None]:
        """The files that it names, by the keys that name them."""
        pieces = self.stream.pieces if self.stream else None
        return {"request": self.request, "response": self.response, "stream.pieces": pieces}

    def fault(self, root: Path, answer: Heard) -> str | None:
        """Why an answer is not the expected one; None when it is, or nothing is expected.

        Raises:
            LateError: it is, but its first piece came late: the next try may do better.
        """
        if self.stream is not None and (found := self._stream_fault(self.stream, root, answer)):
            return f"{self.request}: {found}"
        if self.response is None:
            return None
        found = mismatch(inside(self.response, root).read_bytes(), answer.body, self.tolerance)
        return f"{self.request}: not the answer in {self.response}: {found}" if found else None

    def _stream_fault(self, wanted: GoldenStream, root: Path, answer: Heard) -> str | None:
        found = pieces_of(answer.content_type, answer.body)
        if found is None:
            return f"the answer does not come in pieces, but whole as {answer.content_type or 'nothing'}"
        if wanted.pieces is not None:
            expected = inside(wanted.pieces, root).read_bytes()
            if fault := pieces_mismatch(expected, found, self.tolerance):
                return f"not the pieces in {wanted.pieces}: {fault}"
        took, limit = answer.first_seconds * 1000, wanted.first_byte_ms
        if limit is not None and took > limit:
            raise LateError(took, limit)
        return None


def fault_of(item: GoldenRequest, root: Path, ask: Callable[[], Heard]) -> str | None:
    """Why the answer to a golden request is not the expected one. One that came late is asked for again: a first call
    fills caches, and another process may just have had the processor."""
    late: list[LateError] = []
    for _ in range(_TRIES):
        try:
            return item.fault(root, ask())
        except LateError as error:
            late.append(error)
    best = min(late, key=lambda error: error.took)
    return f"{item.request}: {best}, in the best of {_TRIES} tries"


class GoldenFields(Declaration):
    """Golden requests, and how they went."""

    golden: Many[GoldenRequest] = field("The requests.", default=(), replaces=False)
    golden_digest: Out[str] = computed("Digest of their content.", replaces=False)
    passed: Out[int] = output("How many requests were answered as expected.")
    seconds: Out[float] = output("How long getting ready and answering took.")


G = TypeVar("G", bound=GoldenFields)


class GoldenGate(Resource[G]):
    """A resource that exists once its requests were answered rightly, and asks again when an input changes. What was
    passed was passed, and nothing is left of it."""

    def score(self, ctx: Context, inputs: G) -> dict[str, Any]:
        """Send the requests; the outputs.

        Raises:
            ProvisionError: one was not answered as expected.
        """
        raise NotImplementedError

    def check(self, ctx: Context, old: G, new: G) -> dict[str, Any]:
        """The golden files are there."""
        return {"golden_digest": _digest(ctx, new)} if known(new.golden) else {}

    def update(self, ctx: Context, change: Change[G]) -> dict[str, Any]:
        """Send them to what is to serve now."""
        return self.score(ctx, change.new)


def _digest(ctx: Context, inputs: GoldenFields) -> str:
    """The digest of the golden requests' files.

    Raises:
        CheckError: a file is missing.
    """
    faults: list[tuple[str, str]] = []
    parts: list[str] = []
    for index, golden in enumerate(inputs.golden):
        for key, name in golden.files.items():
            if name is None:
                parts += [""] if key != "stream.pieces" else []
                continue
            try:
                parts.append(file_hash(inside(name, ctx.root)))
            except ContentError as error:
                faults.append((f"golden[{index}].{key}", str(error)))
    if faults:
        raise CheckError(*faults)
    return text_digest("golden", *parts)
