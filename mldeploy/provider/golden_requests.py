"""The `golden` input: requests whose right answers are known, the same for every gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from mldeploy.content import ContentError, file_hash, text_digest
from mldeploy.provider.resource import CheckError, Context, Field
from mldeploy.sources import inside

DEFAULT_TOLERANCE = 1e-9
GOLDEN = Field(
    kind="object",
    type_name="GoldenRequest",
    replaces=False,
    description="A request, and the answer that it must get.",
    fields={
        "request": Field(
            kind="string", required=True, description="A file of the project: the request's body."
        ),
        "response": Field(kind="string", description="A file of the project: the expected body."),
        "tolerance": Field(
            kind="number", minimum=0, description="By how much numbers may differ (default 1e-9)."
        ),
        "content_type": Field(
            kind="string", description="The request's content type; by default from the file name."
        ),
    },
)


def golden_digest(ctx: Context, inputs: Mapping[str, Any]) -> str:
    """The digest of the golden requests' files.

    Raises:
        CheckError: a file is missing.
    """
    faults: list[tuple[str, str]] = []
    parts: list[str] = []
    for index, golden in enumerate(golden_requests(inputs)):
        for key in ("request", "response"):
            if golden.get(key) is None:
                parts.append("")
                continue
            try:
                parts.append(file_hash(inside(str(golden[key]), ctx.root)))
            except ContentError as error:
                faults.append((f"golden[{index}].{key}", str(error)))
    if faults:
        raise CheckError(*faults)
    return text_digest("golden", *parts)


def golden_requests(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The `golden` input, empty when absent."""
    value = inputs.get("golden")
    return cast("list[dict[str, Any]]", value) if isinstance(value, list) else []
