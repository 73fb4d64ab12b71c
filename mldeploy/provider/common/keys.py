"""ServiceKeys: the two keys of a service, own ones or generated, rotated one at a time."""

from __future__ import annotations

import re
import secrets
from typing import Any

from mldeploy.provider.framework.declare import Declaration, Opt, Or, field
from mldeploy.provider.framework.resource import Change, CheckError, Context, Resource, known
from mldeploy.values.property_value import UNKNOWN

_BYTES = 32
_LONGEST = 1024
# RFC 6750, section 2.1: what a bearer token may be made of, plus what v1 users had in theirs.
_TOKEN = re.compile(r"[\x21-\x7e]+")
_SLOTS = ("primary", "secondary")


class ServiceKeysFields(Declaration, token="mldeploy:service:ServiceKeys"):
    """The primary and the secondary key of a service: given ones, or generated ones."""

    primary: Opt[str] = field("Your own primary key.", default=None, secret=True, replaces=False)
    secondary: Opt[str] = field("Your own secondary key.", default=None, secret=True, replaces=False)
    generation_primary: Or[int] = field(
        "Raise it to renew the generated primary key.", default=1, minimum=1, replaces=False
    )
    generation_secondary: Or[int] = field(
        "Raise it to renew the generated secondary key.", default=1, minimum=1, replaces=False
    )

    def key(self, slot: str) -> str | None:
        """The key of a slot; None for a generated one."""
        return self.primary if slot == "primary" else self.secondary

    def generation(self, slot: str) -> int:
        """How often the key of a slot was made."""
        return self.generation_primary if slot == "primary" else self.generation_secondary


class ServiceKeys(Resource[ServiceKeysFields]):
    """Two bearer keys, which live in the state only. Raising a generation renews exactly that key."""

    def check(self, ctx: Context, old: ServiceKeysFields, new: ServiceKeysFields) -> dict[str, Any]:
        """Own keys fit into a header; generations start at 1."""
        faults: list[tuple[str, str]] = []
        for slot in _SLOTS:
            value = new.key(slot)
            if known(value) and value is not None and (not _TOKEN.fullmatch(value) or len(value) > _LONGEST):
                allowed = f"allowed: 1 to {_LONGEST} visible ASCII characters without spaces"
                faults.append((slot, f"this key cannot be sent in a header; {allowed}"))
        if faults:
            raise CheckError(*faults)
        return {f"generation_{slot}": new.generation(slot) for slot in _SLOTS}

    def preview(self, ctx: Context, inputs: ServiceKeysFields) -> dict[str, Any]:
        """Own keys are known."""
        return {slot: inputs.key(slot) or UNKNOWN for slot in _SLOTS}

    def create(self, ctx: Context, inputs: ServiceKeysFields) -> tuple[str, dict[str, Any]]:
        """Take the given keys, generate the others."""
        return f"{ctx.name}-{secrets.token_hex(3)}", {slot: inputs.key(slot) or _new_key() for slot in _SLOTS}

    def update(self, ctx: Context, change: Change[ServiceKeysFields]) -> dict[str, Any]:
        """Renew what changed: a given key, a key no longer given, a raised generation."""
        made: dict[str, Any] = {}
        for slot in _SLOTS:
            renewed = change.old.generation(slot) != change.new.generation(slot) or change.old.key(slot)
            made[slot] = change.new.key(slot) or (_new_key() if renewed else change.state.key(slot))
        return made


def _new_key() -> str:
    return secrets.token_urlsafe(_BYTES)
