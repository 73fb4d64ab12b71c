"""From the manifest's secret references to secret Outputs: the only place where their values are read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pulumi

from components.context import Context
from components.foundation import ids as azure_ids
from mldeploy.manifest import ConfigRef, EnvRef, KeyVaultRef, SecretRef, Ssl, makes_foundation, secret_places

_GET = "mldeploy:azure:getVaultSecret"


def resolve(context: Context, reference: SecretRef) -> pulumi.Output[str]:
    """The value behind a reference, as a secret Output. A preview without a login to Key Vault gives an unknown one.

    Raises:
        pulumi.RunError: nothing is set under that name, or it may not be read; says where the manifest names it.
    """
    if isinstance(reference, ConfigRef):
        value = pulumi.Config().get_secret(reference.config)
        if value is None:
            raise fault(
                context,
                reference,
                f"no secret config value {reference.config!r} in stack {context.stack!r}: "
                f"set it with `mldeploy config set --secret {reference.config} --stack {context.stack}`",
            )
        return value
    if isinstance(reference, EnvRef):
        text = os.environ.get(reference.env)
        if not text:
            raise fault(context, reference, f"the environment variable {reference.env} is not set")
        return pulumi.Output.secret(text)
    return context.shared(("keyvault", reference.keyvault), lambda: _from_vault(context, reference))


def optional(context: Context, reference: SecretRef | None) -> pulumi.Output[str] | None:
    """:func:`resolve`, where a secret need not be given."""
    return None if reference is None else resolve(context, reference)


def certificate(context: Context, reference: SecretRef) -> pulumi.Output[str]:
    """The certificates of a PEM text, without the private key that Key Vault keeps in the same secret."""
    return resolve(context, reference).apply(lambda text: blocks(text, key=False))


def private_key(context: Context, reference: SecretRef) -> pulumi.Output[str]:
    """The private key of a PEM text, without the certificates that Key Vault keeps in the same secret."""
    return resolve(context, reference).apply(lambda text: blocks(text, key=True))


def tls_files(context: Context, ssl: Ssl | None) -> dict[str, pulumi.Output[str]] | None:
    """``{cert, key}`` in PEM of a service that has its own certificate."""
    if ssl is None or not ssl.enabled or ssl.cert is None or ssl.key is None:
        return None
    return {"cert": certificate(context, ssl.cert), "key": private_key(context, ssl.key)}


def blocks(text: str, *, key: bool) -> str:
    """The private keys of a PEM text, or everything else in it; a text that has not both is left as it is."""
    found: dict[bool, list[str]] = {True: [], False: []}
    block: list[str] = []
    for line in text.splitlines():
        if line.startswith("-----BEGIN "):
            block = []
        block.append(line)
        if line.startswith("-----END "):
            found[line.rstrip().endswith("PRIVATE KEY-----")].append("\n".join(block) + "\n")
    return "".join(found[key]) if found[True] and found[False] else text


def fault(context: Context, reference: SecretRef, message: str) -> pulumi.RunError:
    """An error about what a reference leads to, at the places where the manifest names it."""
    places = secret_places(Path.cwd(), context.stack, reference)
    return pulumi.RunError("\n".join(f"{place}: {message}" for place in places) or message)


# --- Key Vault --------------------------------------------------------------------------------------------------


def _from_vault(context: Context, reference: KeyVaultRef) -> pulumi.Output[str]:
    """The provider asks the vault, once for each secret; the value is in no state until something takes it."""
    vault, name, version = reference.address
    where = _own_vault(context) if vault is None else vault
    answer: pulumi.Output[Any] = pulumi.runtime.invoke_output(
        _GET,
        {
            "vault": where,
            "name": name,
            "version": version or None,
            # On the stack's vault `up` itself grants the right; a preview does not wait for it.
            "granted": (vault is None and not pulumi.runtime.is_dry_run()) or None,
        },
    )

    def value(found: Mapping[str, Any]) -> Any:
        problem = found.get("problem")
        if not problem:
            return found["value"]
        if found.get("certain") or not pulumi.runtime.is_dry_run():
            raise fault(context, reference, str(problem))
        message = fault(context, reference, f"its value is not known in this preview: {problem}")
        pulumi.log.warn(str(message))
        return pulumi.UNKNOWN

    return pulumi.Output.secret(cast("pulumi.Output[str]", answer.apply(value)))


def _own_vault(context: Context) -> pulumi.Input[str]:
    """The address of the stack's vault: of the one that the manifest names, else of the foundation's."""
    from components.foundation import stack

    kinds = (target.type for target in context.manifest.targets.values())
    if makes_foundation(context.manifest.azure, kinds):
        return stack.foundation(context).key_vault_uri
    given = context.manifest.azure.key_vault.existing
    if given is None:  # the manifest's rules require one
        raise pulumi.RunError("a secret's name needs a key vault; write azure: {key_vault: {existing: …}}")
    return f"https://{azure_ids.parse(given).name}.vault.azure.net/"
