"""What a manifest plans: every resource that it registers with known outputs, and the stack's outputs."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime.mocks import MockMonitor

from components.compose import compose
from components.foundation import stack
from mldeploy.manifest import load
from mldeploy.provider.local import containers

SUB = "/subscriptions/00000000-0000-4000-8000-000000000000"
KUBECONFIG = yaml.safe_dump(
    {
        "current-context": "c",
        "contexts": [{"name": name, "context": {"cluster": name, "user": "u"}} for name in "cd"],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}"}} for name in "cd"],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
)
DIGEST = "sha256:" + "c" * 64
HUB = "HostName=my-hub.azure-devices.net;SharedAccessKeyName=p;SharedAccessKey=aGVsbG8="
SECRETS = {"ONE": "one", "TWO": "two", "HUB": HUB, "OTHER_HUB": HUB.replace("=p;", "=q;"), "KUBE": KUBECONFIG}
SECRETS["OTHER_KUBE"] = KUBECONFIG.replace("https://", "https://other-")
COMPUTED: dict[str, dict[str, Any]] = {
    "ModelFiles": {"path": "a/path", "model_version": "1", "digest": "d" * 64},
    "ImageBuild": {"image_digest": DIGEST, "run_id": "r"},
    "ServiceKeys": {"primary": "p", "secondary": "s"},
    "Listener": {"scoring_uri": "http://a/score", "swagger_uri": "http://a/swagger.json"},
    "Rollout": {"scoring_uri": "http://a/score", "swagger_uri": "http://a/swagger.json", "serving": "v"},
    "BatchEndpoint": {
        "properties": {"scoringUri": "https://a/jobs"},
        "batchEndpointProperties": {"scoringUri": "https://a/jobs"},
    },
    "ImagePresence": {"image_tag": "a-tag", "base": "a-base", "epoch": "1"},
    "EdgeDeployment": {"deployment_id": "an-id"},
    "Seen": {"value": "https://issuer.example.org"},
    "SharedModel": {"asset_id": f"{SUB}/resourceGroups/rg/models/m"},
    "docker:index/image:Image": {"repoDigest": f"registry.example.org/x@{DIGEST}"},
    "ContainerGroup": {"ipAddress": {"fqdn": "a.example.org", "ip": "198.51.100.1"}, "instanceView": {}},
    "UserAssignedIdentity": {"principalId": "p", "clientId": "c", "tenantId": "t"},
    "ManagedCluster": {
        "identityProfile": {"kubeletidentity": {"objectId": SUB[15:]}},
        "oidcIssuerProfile": {"issuerURL": "https://issuer.example.org"},
        "fqdn": "k",
    },
    "IotHubResource": {"name": "my-hub", "properties": {"hostName": "my-hub.azure-devices.net"}},
}
"""Outputs that Azure computes, by the end of the type."""


class _Recorder(pulumi.runtime.Mocks):
    def __init__(self) -> None:
        self.made: dict[str, Any] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.made[f"{args.typ} {args.name}"] = args.inputs
        # A name that Azure's SDK calls `resourceName` is the resource's `name`, as every `…Name` of it is.
        named = next((v for k, v in args.inputs.items() if k.lower().endswith("name")), args.name)
        outputs = {"name": named, "version": "1", "digest": DIGEST, "reference": f"r@{DIGEST}", **args.inputs}
        # What is a list when it is given is a mapping when it is read.
        outputs["identity"] = {"type": "UserAssigned"}
        outputs |= {k: v for end, more in COMPUTED.items() if args.typ.endswith(end) for k, v in more.items()}
        scope = f"{SUB}/resourceGroups/rg/providers/Microsoft.X/types/{named}"
        return (scope if args.typ.startswith("azure-native:") else f"{args.name}-id"), outputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        self.made[f"{args.token} {json.dumps(args.args, sort_keys=True, default=str)}"] = {}
        if "listManagedClusterUserCredentials" in args.token:
            kubeconfig = base64.b64encode(KUBECONFIG.encode()).decode()
            return {"kubeconfigs": [{"name": "clusterUser", "value": kubeconfig}]}
        return {
            "primaryKey": "aHVia2V5", "primarySharedKey": "k", "customerId": "i", "location": "westeurope",
            "value": "-----vault-----", "problem": "", "oidcIssuerProfile": {"issuerURL": "https://i"},
            "agentPoolProfiles": [{"vmSize": "Standard_D4s_v5", "count": 3}], "subscriptionId": SUB[15:],
            "tenantId": SUB[15:], "objectId": SUB[15:], "clientId": SUB[15:],
            "principal_id": SUB[15:], "principal_type": "User",
            "identityProfile": {"kubeletidentity": {"objectId": SUB[15:]}},
        }  # fmt: skip


class _Monitor(MockMonitor):
    """Notes the option that is no input of a resource: whether it refuses to be deleted."""

    def RegisterResource(self, request: Any) -> Any:
        if request.protect:
            self.mocks.made[f"protected {request.type} {request.name}"] = {}
        return super().RegisterResource(request)


class _Foundation:
    """The stack's foundation without its thirty resources, which no key of a service, an image or a target is for."""

    models_container = "models"
    upload_needs = ()

    def __getattr__(self, name: str) -> pulumi.Output[str]:
        known = {
            "location": "westeurope",
            "registry_server": "cr.azurecr.io",
            "blob_endpoint": "https://a.example.org/",
        }
        ident = f"{SUB}/resourceGroups/rg/providers/Microsoft.X/types/{name}"
        return pulumi.Output.from_input(known.get(name, ident if name.endswith("_id") else name))


class Planner:
    """Plans manifests in a folder that has the files which they name."""

    def __init__(self, folder: Path, monkeypatch: Any) -> None:
        self.folder = folder
        monkeypatch.chdir(folder)
        monkeypatch.setenv("MLDEPLOY_HOME", str(folder / "home"))
        for name, value in SECRETS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(containers, "fault", lambda: None)
        monkeypatch.setattr(stack, "foundation", lambda _context: _Foundation())
        # Half of the time goes into the names that Azure's SDK had for each type in former years.
        monkeypatch.setattr(
            pulumi.resource, "collapse_alias_to_urn", lambda *_: pulumi.Output.from_input("before")
        )
        for path, text in {
            "models/m.json": '{"factor": 2}',
            "models/n.json": '{"factor": 3}',
            "scripts/score.py": "def init(): pass\ndef run(data): return data\n",
            "scripts/other.py": "def init(): pass\ndef run(data): return None\n",
            "scripts/conda.yml": "dependencies: [python=3.12, {pip: [numpy==2.2.0]}]\n",
            "others/score.py": "def init(): pass\ndef run(data): return 1\n",
            "golden/in.json": "{}",
            "golden/in2.json": "[]",
            "golden/out.json": "{}",
        }.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)

    def write(self, document: dict[str, Any]) -> None:
        """Make it the manifest of the folder."""
        (self.folder / "manifest.yaml").write_text(yaml.safe_dump(document))

    def __call__(self, document: dict[str, Any]) -> dict[str, Any]:
        """The plan, as plain JSON; only ``error`` where the program refuses what the cluster or the hub is.

        Raises:
            ManifestErrors: the manifest is refused.
        """
        self.write(document)
        manifest = load(self.folder, "prod")
        recorder = _Recorder()
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        pulumi.runtime.set_mocks(
            recorder, project="ml", stack="prod", preview=False, monitor=_Monitor(recorder)
        )
        try:

            @pulumi.runtime.test
            def program() -> Any:
                outputs = pulumi.Output.from_input(compose(manifest))
                return outputs.apply(lambda known: recorder.made.update({"outputs": known}))

            program()
        except (ValueError, pulumi.RunError) as error:
            return {"error": str(error)}
        finally:
            loop.close()
            asyncio.set_event_loop(asyncio.new_event_loop())
        return json.loads(json.dumps(recorder.made, default=str, sort_keys=True))
