"""Invokes: `get*` reads what is in the fake subscription, `list*` gives what a caller with rights would get."""

from __future__ import annotations

from typing import Any

from tests.azure.standin import outputs
from tests.azure.standin.arm import Service, ServiceError
from tests.azure.standin.tokens import TOKENS, of


def call(service: Service, token: str, args: dict[str, Any]) -> dict[str, Any]:
    """The result of ``azure-native:<module>:<function>``.

    Raises:
        KeyError: not one that the stand-in knows.
        ServiceError: what it is about does not exist, or is not allowed.
    """
    module, function = token.removeprefix("azure-native:").split(":")
    if (module, function) == ("authorization", "getClientConfig"):
        return {
            "clientId": outputs.guid("client"), "objectId": service.world.deployer,
            "subscriptionId": service.subscription, "tenantId": outputs.TENANT,
        }  # fmt: skip
    if (module, function) == ("containerservice", "listManagedClusterUserCredentials"):
        cluster = _existing(service, "containerservice:ManagedCluster", args)
        return {"kubeconfigs": [{"name": "clusterUser", "value": outputs.kubeconfig(cluster)}]}
    if (module, function) == ("operationalinsights", "getSharedKeys"):
        workspace = _existing(service, "operationalinsights:Workspace", args)
        return {"primarySharedKey": outputs._hex(workspace["id"], 40), "secondarySharedKey": "c2Vjb25k"}
    if (module, function) == ("iothub", "listIotHubResourceKeysForKeyName"):
        hub = _existing(service, "iothub:IotHubResource", args)
        return {"keyName": args["keyName"], "primaryKey": "cHJpbWFyeQ==", "rights": hub["id"]}
    if function.startswith("get"):
        document = _existing(service, f"{module}:{_resource(module, function)}", args)
        return {"id": document["id"], **service.shown(document)}
    raise KeyError(f"the stand-in knows no invoke {token}")


def _resource(module: str, function: str) -> str:
    name = function.removeprefix("get")
    if f"{module}:{name}" in TOKENS:
        return name
    return {"getIotHubResource": "IotHubResource"}.get(function, name)


def _existing(service: Service, token: str, args: dict[str, Any]) -> dict[str, Any]:
    ident = of(token).ident(service.subscription, args)
    document = service.store.get(ident) if ident else None
    if document is None:
        raise ServiceError(404, "ResourceNotFound", f"{ident} was not found")
    return document
