"""What every gate has in common: the `golden` input, requests whose right answers are known, and when they are sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from mldeploy.artifacts.content import ContentError, file_hash, text_digest
from mldeploy.artifacts.sources import inside
from mldeploy.provider.common.golden import mismatch
from mldeploy.provider.framework.declare import Declaration, In, Many, Opt, Or, Out, computed, field, output
from mldeploy.provider.framework.resource import Change, CheckError, Context, Resource, known


class GoldenRequest(Declaration):
    """A request, and the answer that it must get."""

    request: In[str] = field("A file of the project: the request's body.")
    response: Opt[str] = field("A file of the project: the expected body.", default=None)
    tolerance: Or[float] = field(
        "By how much numbers may differ, absolute or relative.", default=0.0, minimum=0
    )
    content_type: Opt[str] = field("The request's content type; by default from the file name.", default=None)

    @property
    def media_type(self) -> str:
        """The `Content-Type` that it is sent with."""
        default = "application/json" if Path(self.request).suffix == ".json" else "application/octet-stream"
        return self.content_type or default

    def body(self, root: Path) -> bytes:
        """What is sent."""
        return inside(self.request, root).read_bytes()

    def fault(self, root: Path, answer: bytes) -> str | None:
        """Why an answer is not the expected one; None when it is, or nothing is expected."""
        if self.response is None:
            return None
        found = mismatch(inside(self.response, root).read_bytes(), answer, self.tolerance)
        return f"{self.request}: not the answer in {self.response}: {found}" if found else None


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
        for key, name in (("request", golden.request), ("response", golden.response)):
            if name is None:
                parts.append("")
                continue
            try:
                parts.append(file_hash(inside(name, ctx.root)))
            except ContentError as error:
                faults.append((f"golden[{index}].{key}", str(error)))
    if faults:
        raise CheckError(*faults)
    return text_digest("golden", *parts)
