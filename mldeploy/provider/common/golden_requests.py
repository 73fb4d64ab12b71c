"""What every gate has in common: the `golden` input, requests whose right answers are known, and when they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from mldeploy.artifacts.content import ContentError, file_hash, text_digest
from mldeploy.artifacts.sources import inside
from mldeploy.provider.framework.resource import CheckError, Context, Field, Resource
from mldeploy.provider.framework.values import has_unknown

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

GOLDEN_INPUTS = {
    "golden": Field(kind="array", items=GOLDEN, replaces=False, description="The requests."),
    "golden_digest": Field(
        kind="string", computed=True, replaces=False, description="Digest of their content."
    ),
}
GOLDEN_OUTPUTS = {
    "passed": Field(kind="integer", description="How many requests were answered as expected."),
    "seconds": Field(kind="number", description="How long getting ready and answering took."),
}


class GoldenGate(Resource):
    """A resource that exists once its requests were answered rightly, and asks again when an input changes."""

    outputs = GOLDEN_OUTPUTS

    def score(self, ctx: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Send the requests; the outputs.

        Raises:
            ProvisionError: one was not answered as expected.
        """
        raise NotImplementedError

    def check(self, ctx: Context, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """The golden files are there."""
        if has_unknown(news.get("golden")):
            return {}
        return {"golden_digest": golden_digest(ctx, news)}

    def read(
        self, ctx: Context, ident: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """What was passed was passed."""
        return dict(state), {}

    def update(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Send them to what is to serve now."""
        return self.score(ctx, news)

    def delete(self, ctx: Context, ident: str, state: Mapping[str, Any]) -> None:
        """Nothing is left of it."""


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
