"""What to write instead of keys that v1 had, or that people try."""

from __future__ import annotations

_SERVICE = {
    "autoscale_enabled": "write autoscale: {enabled: …}",
    "autoscale_min_replicas": "write autoscale: {min_replicas: …}",
    "autoscale_max_replicas": "write autoscale: {max_replicas: …}",
    "autoscale_refresh_seconds": "write autoscale: {refresh_seconds: …}",
    "autoscale_target_utilization": "write autoscale: {target_utilization: …}",
    "ssl_enabled": "write ssl: {enabled: …}",
    "ssl_cname": "write ssl: {cname: …}",
    "ssl_cert_pem_file": "write ssl: {cert: {keyvault: <name>}}",
    "ssl_key_pem_file": "write ssl: {key: {keyvault: <name>}}",
    "ssl_certificate": "write ssl: {cert: {keyvault: <name>}}",
    "leaf_domain_label": "write ssl: {leaf_domain_label: …}",
    "token_auth_enabled": "tokens are not supported; use auth_enabled with keys",
    "models": "the models are those of the service's image: images.<name>.models",
    "model": "the models are those of the service's image: images.<name>.models",
    "entry_script": "it belongs to the service's image: images.<name>.entry_script",
    "conda_file": "it belongs to the service's image: images.<name>.conda_file",
    "environment_variables": "they belong to the service's image: images.<name>.environment_variables",
    "inference_config": "an inference config is an entry of images:",
    "deployment_config": "its parameters are keys of the service",
    "deployment_target": "write target: <name of an entry of targets:>",
    "compute_target": "write target: <name of an entry of targets:>",
    "compute_target_name": "write target: <name of an entry of targets:>",
    "location": "it belongs to the target: targets.<name>.location",
    "initial_delay_seconds": "write probes: {initial_delay_seconds: …}",
    "period_seconds": "write probes: {period_seconds: …}",
    "timeout_seconds": "write probes: {timeout_seconds: …}",
    "success_threshold": "write probes: {success_threshold: …}",
    "failure_threshold": "write probes: {failure_threshold: …}",
    "cpu_cores_limits": "write cpu_cores_limit",
    "memory_gb_limits": "write memory_gb_limit",
    "mini_batch_size": "write batch: {mini_batch_size: …}",
    "error_threshold": "write batch: {error_threshold: …}",
    "schedule": "write batch: {schedule: …}",
    "restart_policy": "write edge: {restart_policy: …}",
    "is_default": "versions of a service follow each other by rollout: …",
    "traffic_percentile": "write rollout: {strategy: canary, steps: […]}",
    "version_name": "a version's name follows from its content",
    "replicas": "write num_replicas",
    "gpu": "write gpu_cores",
    "auth": "write auth_enabled: true",
    "vnet_name": "write subnet_id on the target",
    "subnet_name": "write subnet_id on the target",
    "cmk_vault_base_url": "customer-managed keys are not supported",
}
_IMAGE = {
    "dependencies": "everything in source_directory is in the image",
    "schema_file": "decorate run() with inference-schema instead",
    "enable_gpu": "choose a base_image with CUDA",
    "cuda_version": "choose a base_image with CUDA",
    "extra_docker_file_steps": "put the steps into a base_image of your own",
    "execution_script": "write entry_script",
    "conda_dependencies_file": "write conda_file",
    "environment": "write base_image, conda_file and environment_variables",
    "model": "write models: [<name>]",
    "version": "an image's version follows from its content",
}
_MODEL = {
    "model_path": "write source",
    "path": "write source",
    "model_name": "the name is the key under models:",
    "name": "the name is the key under models:",
    "datasets": "data sets are not supported; name them in tags",
    "sample_input_dataset": "data sets are not supported; give the service golden requests",
    "sample_output_dataset": "data sets are not supported; give the service golden requests",
    "resource_configuration": "write cpu_cores and memory_gb on the service",
    "run_id": "write source: runs:/<run id>/<path>",
}
_CLUSTER = "write create: {agent_count: …, vm_size: …} or attach: {resource_group: …, cluster_name: …}"
_AKS = dict.fromkeys(
    ("agent_count", "vm_size", "cluster_purpose", "cluster_name", "resource_group", "location", "vcpus"),
    _CLUSTER,
)
_CREATE = {
    "ssl_cname": "TLS belongs to the services: services.<name>.ssl",
    "ssl_cert_pem_file": "TLS belongs to the services: services.<name>.ssl",
    "ssl_key_pem_file": "TLS belongs to the services: services.<name>.ssl",
    "vnet_name": "write subnet_id",
    "subnet_name": "write subnet_id",
    "vnet_resourcegroup_name": "write subnet_id",
    "docker_bridge_cidr": "AKS does not use it any more",
    "load_balancer_type": "write private: true for a private API server",
}

ADVICE: dict[tuple[str, str], str] = {
    (owner, key): text
    for owner, table in (
        ("Service", _SERVICE),
        ("Image", _IMAGE),
        ("Model", _MODEL),
        ("AksTarget", _AKS),
        ("AksCreate", _CREATE),
    )
    for key, text in table.items()
}
"""Advice by (the model's class, the unknown key)."""
