"""The data plane of key vaults: a challenge, then the right of who asks, then the secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.azure.answers import Answer, Ask
from tests.azure.standin.outputs import TENANT

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud


def answer(state: Cloud, ask: Ask) -> Answer:
    """``/vault/<name>/secrets/<secret>``: https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses."""
    vault, _, rest = ask.path.removeprefix("/vault/").partition("/secrets/")
    name = rest.split("/")[0]
    if not ask.who:
        challenge = f'Bearer authorization="https://login.microsoftonline.com/{TENANT}", resource="https://vault.azure.net"'
        return Answer(401, b"", {"WWW_Authenticate": challenge})
    documents = state.world.store.of("Microsoft.KeyVault/vaults")
    ident = next((one["id"] for one in documents if one["id"].endswith(f"/{vault}")), "")
    if not ident or not state.world.may(ask.who, "secret.read", ident):
        error = {
            "code": "Forbidden",
            "message": "Caller is not authorized",
            "innererror": {"code": "ForbiddenByRbac"},
        }
        return Answer.json({"error": error}, 403)
    value = state.world.secrets.get((vault, name))
    if value is None:
        return Answer.error(
            404, "SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault."
        )
    return Answer.json({"value": value, "id": f"https://{vault}.vault.azure.net/secrets/{name}/{'1' * 32}"})
