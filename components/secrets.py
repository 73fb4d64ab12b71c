"""From the manifest's secret references to secret Outputs: the only place where their values are read."""

from __future__ import annotations

import os

import pulumi

from mldeploy.manifest import ConfigRef, EnvRef, SecretRef


def resolve(reference: SecretRef) -> pulumi.Output[str]:
    """The value behind a ``{config: …}`` or ``{env: …}`` reference, as a secret Output.

    Raises:
        pulumi.RunError: nothing is set under that name, or the reference's kind cannot be read here.
    """
    if isinstance(reference, ConfigRef):
        value = pulumi.Config().get_secret(reference.config)
        if value is None:
            raise pulumi.RunError(
                f"no secret config value {reference.config!r} in stack {pulumi.get_stack()!r}: "
                f"set it with `pulumi config set --secret {reference.config}`"
            )
        return value
    if isinstance(reference, EnvRef):
        text = os.environ.get(reference.env)
        if not text:
            raise pulumi.RunError(
                f"the environment variable {reference.env} named by the manifest is not set"
            )
        return pulumi.Output.secret(text)
    raise pulumi.RunError(
        f"{{keyvault: {reference.keyvault}}} can be read on Azure targets only; use {{config: …}} or {{env: …}} here"
    )
