"""Services on an AKS cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final

from mldeploy.engine import ResourceState
from mldeploy.manifest import Target
from mldeploy.operations import cluster
from mldeploy.operations.model import Finding

# How kubelogin logs in as whom the `ARM_*` variables name; its own variables stand over the kubeconfig's `azurecli`:
# https://azure.github.io/kubelogin/concepts/login-modes.html
_ID: Final = 'AZURE_CLIENT_ID="$ARM_CLIENT_ID" AZURE_TENANT_ID="$ARM_TENANT_ID"'
_LOGINS: Final = {
    "ARM_USE_OIDC": f"AAD_LOGIN_METHOD=workloadidentity {_ID} AZURE_AUTHORITY_HOST=https://login.microsoftonline.com/ "
    'AZURE_FEDERATED_TOKEN_FILE="$ARM_OIDC_TOKEN_FILE_PATH"',
    "ARM_USE_MSI": 'AAD_LOGIN_METHOD=msi AZURE_CLIENT_ID="$ARM_CLIENT_ID"',
    "ARM_CLIENT_SECRET": f'AAD_LOGIN_METHOD=spn {_ID} AZURE_CLIENT_SECRET="$ARM_CLIENT_SECRET"',
    "ARM_CLIENT_CERTIFICATE_PATH": f"AAD_LOGIN_METHOD=spn {_ID} "
    'AZURE_CLIENT_CERTIFICATE_PATH="$ARM_CLIENT_CERTIFICATE_PATH"',
}


def handles(resources: Sequence[ResourceState]) -> list[cluster.ClusterService]:
    """Every service of a state on such a target."""
    return cluster.handles(resources, "aks")


def examine(name: str, target: Target) -> Iterator[Finding]:
    """Whether kubelogin, which the cluster's kubeconfig runs, logs in as the same one as all else."""
    del target
    what = f"kubelogin for {name}"
    if method := os.environ.get("AAD_LOGIN_METHOD"):
        yield Finding("ok", what, f"AAD_LOGIN_METHOD is {method}")
        return
    named = next((variable for variable in _LOGINS if os.environ.get(variable)), None)
    if named is None:
        yield Finding("ok", what, "logs in as `az` does")
    else:
        found = f"{named} is set, and kubelogin would log in as `az` does"
        yield Finding("problem", what, found, f"export {_LOGINS[named]}")
