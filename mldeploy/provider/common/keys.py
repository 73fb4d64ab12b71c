"""ServiceKeys: the two keys of a service, own ones or generated, rotated one at a time."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any

from mldeploy.provider.framework.resource import CheckError, Context, Field, Resource

_BYTES = 32
_LONGEST = 1024
# RFC 6750, section 2.1: what a bearer token may be made of, plus what v1 users had in theirs.
_TOKEN = re.compile(r"[\x21-\x7e]+")
_SLOTS = ("primary", "secondary")


class ServiceKeys(Resource):
    """Two bearer keys. Raising a generation renews exactly that key."""

    token = "mldeploy:service:ServiceKeys"  # noqa: S105
    description = "The primary and the secondary key of a service: given ones, or generated ones."
    inputs = {
        "primary": Field(kind="string", secret=True, replaces=False, description="Your own primary key."),
        "secondary": Field(kind="string", secret=True, replaces=False, description="Your own secondary key."),
        "generation_primary": Field(
            kind="integer",
            replaces=False,
            minimum=1,
            description="Raise it to renew the generated primary key.",
        ),
        "generation_secondary": Field(
            kind="integer",
            replaces=False,
            minimum=1,
            description="Raise it to renew the generated secondary key.",
        ),
    }
    outputs = {}

    def check(self, ctx: Context, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """Own keys fit into a header; generations start at 1."""
        del ctx, olds
        faults: list[tuple[str, str]] = []
        for slot in _SLOTS:
            value = news.get(slot)
            if isinstance(value, str) and (not _TOKEN.fullmatch(value) or len(value) > _LONGEST):
                allowed = f"allowed: 1 to {_LONGEST} visible ASCII characters without spaces"
                faults.append((slot, f"this key cannot be sent in a header; {allowed}"))
        if faults:
            raise CheckError(*faults)
        return {f"generation_{slot}": news.get(f"generation_{slot}") or 1 for slot in _SLOTS}

    def preview(self, ctx: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Own keys are known."""
        from mldeploy.provider.framework.values import UNKNOWN

        return {slot: inputs.get(slot) or UNKNOWN for slot in _SLOTS}

    def create(self, ctx: Context, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Take the given keys, generate the others."""
        keys = {slot: inputs.get(slot) or _new_key() for slot in _SLOTS}
        return f"{ctx.name}-{secrets.token_hex(3)}", keys

    def read(
        self, ctx: Context, ident: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Keys live in the state only."""
        return {slot: state[slot] for slot in _SLOTS}, {}

    def update(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Renew what changed: a given key, a key no longer given, a raised generation."""
        made: dict[str, Any] = {}
        for slot in _SLOTS:
            generation = f"generation_{slot}"
            renewed = olds.get(generation) != news.get(generation) or olds.get(slot)
            made[slot] = news.get(slot) or (_new_key() if renewed else state[slot])
        return made

    def delete(self, ctx: Context, ident: str, state: Mapping[str, Any]) -> None:
        """Nothing is kept outside of the state."""


def _new_key() -> str:
    return secrets.token_urlsafe(_BYTES)
