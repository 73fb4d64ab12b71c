"""What a provider's error leaves unsaid: how to go on from it."""

from __future__ import annotations

import re
import shlex

from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import parse_provider_reference, urn_name, urn_stack

# The words of the providers that Pulumi generates from a cloud's own API (azure-native, aws-native, google-native).
_EXISTS = re.compile(r"cannot create already existing (?:sub)?resource ['\"]([^'\"]+)['\"]")
# Deleting these leaves their names taken, for weeks.
_KEEP_THEIR_NAMES = ("azure-native:keyvault:Vault", "azure-native:machinelearningservices:Workspace")


def after_create(state: ResourceState, message: str) -> str:
    """Lines to add to the error of a failed creation, or an empty string.

    What exists although the state does not know it was made by somebody else, or by an update whose answer was lost.
    The engine cannot tell which, so it never takes a resource over by itself.
    """
    found = _EXISTS.search(message)
    if found is None:
        return ""
    ident = found[1]
    command = ["pulumi", "import", "--stack", urn_stack(state.urn)]
    command += ["--yes", "--protect=false", "--generate-code=false"]
    if state.parent:
        command += ["--parent", f"parent={state.parent}"]
    provider = parse_provider_reference(state.provider).urn if state.provider else ""
    if provider and not urn_name(provider).startswith("default"):
        command += ["--provider", f"provider={provider}"]
    command += [state.type, urn_name(state.urn), ident]
    deletion = ""
    if state.type.startswith("azure-native:") and state.type not in _KEEP_THEIR_NAMES:
        deletion = (
            f"or delete it and run the update again:\n  az resource delete --ids {shlex.quote(ident)}\n"
        )
    return (
        "\nIt exists, and the state does not know it: an earlier update was cut off before the answer came, or somebody"
        " else made it.\nIf it is this stack's, take it over and run the update again:\n"
        f"  {shlex.join(command)}\n{deletion}"
    ).rstrip("\n")
