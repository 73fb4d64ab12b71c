# ruff: noqa: E501 - a setting is a line
"""Manifests for each type of target: one that complies with every rule, and single changes that break one."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import yaml

SUBSCRIPTION = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg/providers"
SUBNET = f"{SUBSCRIPTION}/Microsoft.Network/virtualNetworks/vnet/subnets/one"
STORAGE = f"{SUBSCRIPTION}/Microsoft.Storage/storageAccounts/stexample"
KUBECONFIG = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
)
ENVIRONMENT = {
    "CLUSTER": KUBECONFIG,
    "CERT": "-",
    "CERT_KEY": "-",
    "PASSWORD": "-",
    "CONNECTION": "HostName=shop.azure-devices.net;SharedAccessKeyName=x;SharedAccessKey=c2VjcmV0c2VjcmV0",
}
_TLS = {"cname": "score.example.org", "cert": {"env": "CERT"}, "key": {"env": "CERT_KEY"}}
_ONLINE = {"auth_enabled": True, "ssl": _TLS, "cpu_cores": 1, "memory_gb": 1}
_GOLDEN = {"golden": [{"request": "golden.json"}]}
_AZURE = {
    "location": "westeurope",
    "builder": "acr",
    "protect": True,
    "storage": {"existing": STORAGE},
}
_REGISTRY = {"address": "shop.azurecr.io"}

TARGETS: dict[str, dict[str, Any]] = {
    "local": {
        "targets": {"t": {"type": "local", "runtime": "process"}},
        "services": {
            "churn": {
                **_ONLINE,
                **_GOLDEN,
                "port": 8890,
                "num_replicas": 2,
                "ssl": {"cert": {"env": "CERT"}, "key": {"env": "CERT_KEY"}},
            }
        },
    },
    "aci": {
        "azure": _AZURE,
        "targets": {"t": {"type": "aci", "subnet_id": SUBNET}},
        "services": {"churn": {**_ONLINE, **_GOLDEN, "enable_app_insights": True}},
    },
    "aks": {
        "azure": _AZURE,
        "targets": {
            "t": {"type": "aks", "create": {"agent_count": 3, "vm_size": "Standard_D4s_v5", "private": True, "subnet_id": SUBNET}}
        },
        "services": {"churn": {**_ONLINE, **_GOLDEN, "enable_app_insights": True, "num_replicas": 2}},
    },
    "kubernetes": {
        "targets": {"t": {"type": "kubernetes", "kubeconfig": {"env": "CLUSTER"}, "registry": _REGISTRY}},
        "services": {"churn": {**_ONLINE, **_GOLDEN, "enable_app_insights": True, "num_replicas": 2}},
    },
    "batch": {
        "azure": _AZURE,
        "targets": {"t": {"type": "batch", "subnet_id": SUBNET}},
        "services": {"churn": {"batch": {"mini_batch_size": 5}}},
    },
    "edge": {
        "targets": {
            "t": {"type": "edge", "hub": "shop", "target_condition": "tags.site='x'", "priority": 10, "registry": _REGISTRY, "connection_string": {"env": "CONNECTION"}}
        },
        "services": {
            "churn": {
                **_ONLINE,
                "ssl": {"enabled": True},
                "enable_app_insights": True,
                "edge": {"keys_file": "/etc/churn/keys.json", "cert_file": "/etc/churn/cert.pem", "key_file": "/etc/churn/key.pem"},
            }
        },
    },
}  # fmt: skip


def manifest(target: str, **changes: Any) -> dict[str, Any]:
    """The manifest of a target that complies, with changes: dotted paths with `__`; None removes."""
    made: dict[str, Any] = copy.deepcopy(TARGETS[target])
    made |= {
        "version": 1,
        "models": {"m": {"source": "model.json", "tags": {"stage": "approved"}}},
        "images": {
            "i": {"models": ["m"], "source_directory": "scripts", "entry_script": "score.py", "conda_file": "conda.yml"}
        },
    }  # fmt: skip
    made["services"]["churn"] |= {"image": "i", "target": "t"}
    for path, value in changes.items():
        where, *keys = made, *path.split("__")
        for key in keys[:-1]:
            where = where.setdefault(key, {})
        if value is None:
            where.pop(keys[-1], None)
        else:
            where[keys[-1]] = value
    return made


def write(root: Path, document: dict[str, Any], packages: tuple[str, ...] = ("numpy==2.3.2",)) -> Path:
    """A project with a manifest, in a folder."""
    (root / "scripts").mkdir(parents=True)
    (root / "scripts/score.py").write_text("def init(): pass\ndef run(data): return data\n")
    (root / "scripts/conda.yml").write_text(yaml.safe_dump({"dependencies": [{"pip": list(packages)}]}))
    (root / "model.json").write_text("{}")
    (root / "golden.json").write_text("{}")
    (root / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (root / "manifest.yaml").write_text(yaml.safe_dump(document))
    (root / "manifest.prod.yaml").write_text("version: 1\n")
    return root
