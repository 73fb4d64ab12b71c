"""The manifests that keys are changed in, and values for the keys whose values have a form of their own."""

from __future__ import annotations

from typing import Any

SUB = "/subscriptions/00000000-0000-4000-8000-000000000000"
GROUP = f"{SUB}/resourceGroups/rg/providers"
SUBNET = f"{GROUP}/Microsoft.Network/virtualNetworks/v/subnets/s"
REGISTRY = {"address": "registry.example.org", "username": "robot", "password": {"env": "ONE"}}
EDGE = {"type": "edge", "hub": "my-hub", "target_condition": "*", "connection_string": {"env": "HUB"}}
KUBERNETES = {"type": "kubernetes", "kubeconfig": {"env": "KUBE"}}
TARGETS: dict[str, dict[str, Any]] = {
    "local": {"type": "local"},
    "local-docker": {"type": "local", "runtime": "docker"},
    "aci": {"type": "aci"},
    "aks": {"type": "aks", "create": {}},
    "aks-attached": {"type": "aks", "attach": {"resource_group": "rg", "cluster_name": "one"}},
    "kubernetes": KUBERNETES,
    "kubernetes-registry": {**KUBERNETES, "registry": REGISTRY},
    "batch": {"type": "batch"},
    "edge": {**EDGE, "create": {}, "connection_string": None},
    "edge-registry": {**EDGE, "registry": REGISTRY},
}
"""A target of each type, and more where something else is made for it."""
FOR_SERVICES = ("local", "aci", "aks-attached", "kubernetes-registry", "batch", "edge-registry")
SERVICES: dict[str, dict[str, Any]] = {"local": {"port": 8001}, "local-docker": {"port": 8001}}


def document(variant: str) -> dict[str, Any]:
    """The smallest manifest with a service on a target."""
    target = {key: value for key, value in TARGETS[variant].items() if value is not None}
    return {
        "version": 1,
        "azure": {"location": "westeurope", "builder": "acr"},
        "models": {"m": {"source": "models/m.json"}, "n": {"source": "models/n.json"}},
        "images": {"i": {"models": ["m"], "source_directory": "scripts", "entry_script": "score.py"}},
        "targets": {"t": target},
        "services": {"scoring": {"image": "i", "target": "t", **SERVICES.get(variant, {})}},
    }


Change = dict[str, Any]
GOLDEN = {"request": "golden/in.json", "response": "golden/out.json"}
STREAMED = {"golden": [{"request": "golden/in.json", "stream": {"pieces": "golden/out.json"}}]}
SCHEDULED = {"batch": {"schedule": {"cron": "0 3 * * *", "input": "azureml://a/b"}}}
MOUNTED = {"edge": {"mounts": [{"source": "/a", "target": "/t", "writable": True}]}}
PEM = {"cert": {"env": "ONE"}, "key": {"env": "TWO"}}
# The key's path to (what else must be written for it to matter, its other value). None: nothing else.
SERVICE: dict[str, tuple[Change, Any]] = {
    "image": ({}, "j"),
    "target": ({}, "u"),
    "description": ({}, "other"),
    "port": ({}, 8002),
    "cpu_cores": ({}, 2.0),
    "memory_gb": ({}, 2.0),
    "cpu_cores_limit": ({}, 2.0),
    "memory_gb_limit": ({}, 2.0),
    "gpu_cores": ({}, 1),
    "num_replicas": ({}, 3),
    "autoscale.enabled": ({}, False),
    "autoscale.min_replicas": ({}, 2),
    "primary_key": ({"auth_enabled": True}, {"env": "ONE"}),
    "secondary_key": ({"auth_enabled": True}, {"env": "ONE"}),
    "key_generation.primary": ({"auth_enabled": True}, 2),
    "key_generation.secondary": ({"auth_enabled": True}, 2),
    "collect_model_data.enabled": ({"collect_model_data": {"format": "parquet"}}, False),
    "collect_model_data.sampling": ({"collect_model_data": {"format": "parquet"}}, 0.5),
    "collect_model_data.collections": ({"collect_model_data": {"format": "parquet"}}, ["model_inputs"]),
    "collect_model_data.format": ({"collect_model_data": {"sampling": 0.5}}, "parquet"),
    "collect_model_data.destination": (
        {"collect_model_data": {"sampling": 0.5}},
        "https://a.blob.core.windows.net/c",
    ),
    "ssl.enabled": ({"ssl": {"cname": "a.example.org", **PEM}}, False),
    "ssl.cname": ({"ssl": {"cname": "a.example.org", **PEM}}, "b.example.org"),
    "ssl.cert": ({"ssl": {"cname": "a.example.org", **PEM}}, {"env": "HUB"}),
    "ssl.key": ({"ssl": {"cname": "a.example.org", **PEM}}, {"env": "HUB"}),
    "ssl.leaf_domain_label": ({}, "scores"),
    "ssl.issuer": ({"ssl": {"cname": "a.example.org", "issuer": "one"}}, "two"),
    "golden.0.request": ({"golden": [GOLDEN]}, "golden/in2.json"),
    "golden.0.response": ({"golden": [GOLDEN]}, "golden/in2.json"),
    "golden.0.tolerance": ({"golden": [GOLDEN]}, 0.5),
    "golden.0.content_type": ({"golden": [GOLDEN]}, "text/csv"),
    "golden.0.stream.pieces": (STREAMED, "golden/in2.json"),
    "golden.0.stream.first_byte_ms": (STREAMED, 100),
    "golden.0.stream.events": (STREAMED, True),
    "rollout.strategy": ({}, "canary"),
    "rollout.steps": ({"rollout": {"strategy": "canary"}}, [50, 100]),
    "rollout.bake_seconds": ({"rollout": {"strategy": "canary"}}, 5),
    "rollout.max_error_rate": ({"rollout": {"strategy": "canary"}}, 0.5),
    "rollout.max_latency_ratio": ({"rollout": {"strategy": "canary"}}, 3.0),
    "rollout.promote": ({}, "abc"),
    "keep_previous": ({}, 1),
    "dns_name_label": ({}, "scoring-other"),
    "namespace": ({}, "other"),
    "probes.initial_delay_seconds": ({}, 99),
    "host": ({}, "a.example.org"),
    "tolerations.0.key": ({"tolerations": [{"operator": "Exists"}]}, "sku"),
    "tolerations.0.operator": ({"tolerations": [{"key": "sku"}]}, "Exists"),
    "tolerations.0.value": ({"tolerations": [{"key": "sku"}]}, "gpu"),
    "tolerations.0.effect": ({"tolerations": [{"key": "sku"}]}, "NoExecute"),
    "tolerations.0.toleration_seconds": ({"tolerations": [{"key": "sku", "effect": "NoExecute"}]}, 5),
    "priority_class": ({}, "high"),
    "egress.0.to": ({"egress": [{"to": "10.1.0.0/16"}]}, "10.2.0.0/16"),
    "egress.0.namespace": ({"egress": [{"namespace": "data"}]}, "other"),
    "egress.0.ports": ({"egress": [{"to": "10.1.0.0/16"}]}, [5432]),
    "egress.0.protocol": ({"egress": [{"ports": [5432]}]}, "UDP"),
    "batch.mini_batch_size": ({}, 11),
    "batch.error_threshold": ({}, 5),
    "batch.instance_count": ({}, 2),
    "batch.retry_settings.timeout": ({}, 31),
    "batch.output_file_name": ({}, "other.csv"),
    "batch.schedule.cron": (
        SCHEDULED,
        "0 4 * * *",
    ),
    "batch.schedule.time_zone": (
        SCHEDULED,
        "W. Europe Standard Time",
    ),
    "batch.schedule.input": (
        SCHEDULED,
        "azureml://a/c",
    ),
    "batch.schedule.enabled": (
        SCHEDULED,
        False,
    ),
    "edge.startup_order": ({}, 1),
    "edge.desired": ({}, {"threshold": 1}),
    "edge.bind_address": ({"port": 8001}, "127.0.0.1"),
    "edge.keys_file": ({"auth_enabled": True, "edge": {"keys_file": "/a/keys.json"}}, "/b/keys.json"),
    "edge.cert_file": ({"ssl": {}, "edge": {"cert_file": "/a/c.pem", "key_file": "/a/k.pem"}}, "/b/c.pem"),
    "edge.key_file": ({"ssl": {}, "edge": {"cert_file": "/a/c.pem", "key_file": "/a/k.pem"}}, "/b/k.pem"),
    "edge.mounts.0.source": ({"edge": {"mounts": [{"source": "/a", "target": "/t"}]}}, "/b"),
    "edge.mounts.0.target": ({"edge": {"mounts": [{"source": "/a", "target": "/t"}]}}, "/u"),
    "edge.mounts.0.writable": ({"edge": {"mounts": [{"source": "/a", "target": "/t"}]}}, True),
    "edge.create_options": ({}, {"HostConfig": {"Privileged": True}}),
}
_DATA = {"collect_model_data": {"destination": "/t/a"}, **MOUNTED}
_DEVICE_FILES = {"ssl": {}, "edge": {"cert_file": "/a/c.pem", "key_file": "/a/k.pem"}}
_ON_DEVICES = {
    "auth_enabled": {"edge": {"keys_file": "/a/keys.json"}, "auth_enabled": True},
    "ssl.enabled": _DEVICE_FILES,
    **{
        f"collect_model_data.{key}": _DATA
        for key in ("enabled", "sampling", "collections", "format", "destination")
    },
}
BY_VARIANT: dict[tuple[str, str], Change] = {
    (variant, key): more for variant in ("edge", "edge-registry") for key, more in _ON_DEVICES.items()
}
"""What else must be written on one target, instead of what the table of keys says."""
VALUES_BY_VARIANT: dict[tuple[str, str], Any] = {
    ("edge", "auth_enabled"): False,
    ("aks-attached", "auth_enabled"): False,
    ("kubernetes-registry", "auth_enabled"): False,
    ("edge-registry", "auth_enabled"): False,
    ("edge", "collect_model_data.destination"): "/t/b",
    ("edge-registry", "collect_model_data.destination"): "/t/b",
}
BASE_IMAGE = {"base_image": "registry.example.org/python:3.12"}
LOGIN = {
    **BASE_IMAGE,
    "base_image_registry": {"address": "registry.example.org", "username": "u", "password": {"env": "ONE"}},
}
INDEX = {
    "package_index": {
        "url": "https://packages.example.org/simple",
        "username": "u",
        "password": {"env": "ONE"},
    }
}
IMAGE: dict[str, tuple[Change, Any]] = {
    "models": ({}, ["n"]),
    "source_directory": ({}, "others"),
    "entry_script": ({}, "other.py"),
    "conda_file": ({}, "conda.yml"),
    "runtime": ({}, "spark-py"),
    "base_image": ({}, "registry.example.org/python:3.12"),
    "base_image_registry.address": (LOGIN, "other.example.org"),
    "base_image_registry.username": (LOGIN, "v"),
    "base_image_registry.password": (LOGIN, {"env": "TWO"}),
    "environment_variables": ({}, {"MODE": "fast"}),
    "not_secret": ({"environment_variables": {"DB_PASSWORD": "a-word"}}, ["DB_PASSWORD"]),
    "package_index.url": (INDEX, "https://packages.example.org/other"),
    "package_index.username": (INDEX, "v"),
    "package_index.password": (INDEX, {"env": "TWO"}),
    "description": ({}, "other"),
}
CREATE: dict[str, tuple[Change, Any]] = {
    "cluster_name": ({}, "other"),
    "location": ({}, "northeurope"),
    "agent_count": ({}, 4),
    "max_count": ({}, 12),
    "vm_size": ({}, "Standard_D8s_v5"),
    "vcpus": ({"agent_count": 1}, 12),
    # `dense_prod` is v1's other name of a production cluster: the same is made for both.
    "cluster_purpose": ({}, "dev_test"),
    "system_vm_size": ({}, "Standard_D4s_v5"),
    "kubernetes_version": ({}, "1.33"),
    "pools.0.name": ({"pools": [{"name": "gpu", "vm_size": "Standard_NC4as_T4_v3"}]}, "other"),
    "pools.0.vm_size": ({"pools": [{"name": "gpu", "vm_size": "Standard_NC4as_T4_v3"}]}, "Standard_NC8as_T4_v3"),
    "pools.0.min_count": ({"pools": [{"name": "gpu", "vm_size": "Standard_NC4as_T4_v3"}]}, 1),
    "pools.0.max_count": ({"pools": [{"name": "gpu", "vm_size": "Standard_NC4as_T4_v3"}]}, 5),
    "pools.0.spot": ({"pools": [{"name": "gpu", "vm_size": "Standard_NC4as_T4_v3"}]}, True),
    "pools.0.gpu": ({"pools": [{"name": "gpu", "vm_size": "Standard_NC4as_T4_v3"}]}, True),
    "zones": ({}, ["1", "2"]),
    "authorized_ip_ranges": ({}, ["198.51.100.0/24"]),
    "admin_group_ids": ({}, ["11111111-2222-4333-8444-555555555555"]),
    "subnet_id": ({}, SUBNET),
    "pod_cidr": ({}, "10.245.0.0/16"),
    "service_cidr": ({"dns_service_ip": "10.0.0.10"}, "10.0.0.0/17"),
    "dns_service_ip": ({}, "10.0.0.11"),
    "azure_monitor_workspace_id": (
        {"managed_prometheus": True},
        f"{GROUP}/Microsoft.Monitor/accounts/a",
    ),
    "maintenance.start": ({}, "03:00"),
}  # fmt: skip
ROUTE = {"routes": {"x": {"route": "FROM /messages/* INTO $upstream"}}}
GATEWAY = {"gateway": {"name": "g"}}
TARGET: dict[str, tuple[Change, Any]] = {
    **{f"create.{key}": ({"create": more}, value) for key, (more, value) in CREATE.items()},
    "description": ({}, "other"),
    "location": ({}, "northeurope"),
    "subnet_id": ({}, SUBNET),
    "zone": ({}, "2"),
    "attach.resource_group": ({}, "other"),
    "attach.cluster_name": ({}, "other"),
    "attach.subscription_id": ({}, "11111111-2222-4333-8444-555555555555"),
    "attach.vcpus": ({}, 1),
    "attach.cluster_purpose": ({"attach": {"vcpus": 1, "cluster_purpose": "dev_test"}}, "fast_prod"),
    "namespace": ({}, "other"),
    "quota.cpu_cores": ({}, 10.0),
    "quota.memory_gb": ({}, 10.0),
    "gateway.name": (GATEWAY, "other"),
    "gateway.class_name": (GATEWAY, "istio"),
    "gateway.namespace": (GATEWAY, "web"),
    "gateway.listener": (GATEWAY, "https"),
    "gateway.host": (GATEWAY, "a.example.org"),
    "load_balancer": ({}, "public"),
    "kubeconfig": ({}, {"env": "OTHER_KUBE"}),
    "context": ({}, "d"),
    "registry.address": ({"registry": REGISTRY}, "other.example.org"),
    "registry.username": ({"registry": REGISTRY}, "other"),
    "registry.password": ({"registry": REGISTRY}, {"env": "TWO"}),
    "existing": ({}, f"{GROUP}/Microsoft.MachineLearningServices/workspaces/w/computes/c"),
    "vm_size": ({}, "Standard_D8s_v5"),
    "vm_priority": ({}, "low_priority"),
    "idle_seconds_before_scaledown": ({}, 60),
    "hub": ({"connection_string": None, "create": {}}, "other-hub"),
    "connection_string": ({}, {"env": "OTHER_HUB"}),
    "target_condition": ({}, "tags.site='x'"),
    "metrics": ({}, {"mine": "SELECT deviceId FROM devices"}),
    "runtime_version": ({}, "1.4"),
    "routes.x.route": (ROUTE, "FROM /messages/modules/* INTO $upstream"),
    "routes.x.priority": (ROUTE, 1),
    "routes.x.time_to_live_secs": (ROUTE, 60),
    "store_and_forward_secs": ({}, 60),
    "wait.reported": ({}, "90%"),
    "wait.timeout": ({}, 60),
    "wait.rollback": ({}, True),
    "create.sku": ({}, "S2"),
    "create.units": ({}, 2),
}  # fmt: skip
ELSEWHERE: dict[tuple[str, str | int], str] = {
    ("*", "type"): "it says which keys there are: every variant is one of its values",
    ("aks-attached", "create"): "a cluster is created or attached: the variant `aks` has these keys",
    ("aks", "attach"): "likewise: the variant `aks-attached` has these keys",
    ("edge-registry", "layered"): "a layer has no registry: the variant `edge` shows it",
}
"""(variant or `*`, first key of a target) to why another variant shows its effect."""
PERMITS = {"images.not_secret", "targets.create.vcpus"}
"""Keys without which the manifest is refused."""
WITHOUT_EFFECT: dict[tuple[str, str], str] = {}
"""(section.key, variant or `*`) to why a change of the key changes nothing and is not refused."""
