"""v1's functions as data: their parameters in order, and the objects that a script or a JSON file makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True)
class Unknown:
    """A value that only running the script would give."""

    text: str
    """The expression."""
    where: str


@dataclass(frozen=True)
class Variable:
    """The value of an environment variable of whoever ran the script."""

    name: str


@dataclass
class Call:
    """A v1 object: who made it, with which values by parameter or attribute."""

    owner: str
    where: str
    values: dict[str, Any] = field(default_factory=dict[str, Any])

    def get(self, name: str) -> Any:
        """A value; None also when the parameter was left out."""
        return self.values.get(name)


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_AKS_SERVICE = (
    "autoscale_enabled autoscale_min_replicas autoscale_max_replicas autoscale_refresh_seconds "
    "autoscale_target_utilization collect_model_data auth_enabled cpu_cores memory_gb enable_app_insights "
    "scoring_timeout_ms replica_max_concurrent_requests max_request_wait_time num_replicas primary_key "
    "secondary_key tags properties description gpu_cores period_seconds initial_delay_seconds timeout_seconds "
    "success_threshold failure_threshold namespace token_auth_enabled"
)
SIGNATURES: Final[dict[str, tuple[str, ...]]] = {
    "InferenceConfig": _split(
        "entry_script runtime conda_file extra_docker_file_steps source_directory enable_gpu description "
        "base_image base_image_registry cuda_version environment"
    ),
    "ContainerImage.image_configuration": _split(
        "execution_script runtime conda_file docker_file schema_file dependencies enable_gpu tags properties "
        "description base_image base_image_registry cuda_version"
    ),
    "ContainerRegistry": (),
    "Environment": ("name",),
    "Environment.from_conda_specification": ("name", "file_path"),
    "Environment.from_pip_requirements": ("name", "file_path", "pip_version"),
    "Environment.from_docker_image": (
        "name",
        "image",
        "container_registry",
        "conda_specification",
        "pip_requirements",
    ),
    "Environment.get": ("workspace", "name", "version"),
    "CondaDependencies": ("conda_dependencies_file_path",),
    "CondaDependencies.create": _split(
        "pip_indexurl pip_packages conda_packages python_version pin_sdk_version"
    ),
    "Model.register": _split(
        "workspace model_path model_name tags properties description datasets model_framework "
        "model_framework_version child_paths sample_input_dataset sample_output_dataset resource_configuration"
    ),
    "Run.register_model": _split(
        "model_name model_path tags properties model_framework model_framework_version description datasets "
        "sample_input_dataset sample_output_dataset resource_configuration"
    ),
    "Model": _split("workspace name id tags properties version run_id model_framework expand"),
    "Model.deploy": _split(
        "workspace name models inference_config deployment_config deployment_target overwrite show_output"
    ),
    "Webservice.deploy_from_model": _split(
        "workspace name models image_config deployment_config deployment_target overwrite"
    ),
    "Webservice.deploy": _split(
        "workspace name model_paths image_config deployment_config deployment_target overwrite"
    ),
    "LocalWebservice": ("port",),
    "AciWebservice": _split(
        "cpu_cores memory_gb tags properties description location auth_enabled ssl_enabled enable_app_insights "
        "ssl_cert_pem_file ssl_key_pem_file ssl_cname dns_name_label primary_key secondary_key "
        "collect_model_data cmk_vault_base_url cmk_key_name cmk_key_version vnet_name subnet_name"
    ),
    "AksWebservice": _split(
        f"{_AKS_SERVICE} compute_target_name cpu_cores_limit memory_gb_limit blobfuse_enabled"
    ),
    "AksEndpoint": _split(
        f"{_AKS_SERVICE} version_name traffic_percentile compute_target_name cpu_cores_limit memory_gb_limit"
    ),
    "AksCompute.provisioning_configuration": _split(
        "agent_count vm_size ssl_cname ssl_cert_pem_file ssl_key_pem_file location vnet_resourcegroup_name "
        "vnet_name subnet_name service_cidr dns_service_ip docker_bridge_cidr cluster_purpose "
        "load_balancer_type load_balancer_subnet"
    ),
    "AksCompute.attach_configuration": _split(
        "resource_group cluster_name resource_id cluster_purpose load_balancer_type load_balancer_subnet"
    ),
    "AksCompute.enable_ssl": _split(
        "ssl_cname ssl_cert_pem_file ssl_key_pem_file leaf_domain_label overwrite_existing_domain"
    ),
    "AmlCompute.provisioning_configuration": _split(
        "vm_size vm_priority min_nodes max_nodes idle_seconds_before_scaledown admin_username "
        "admin_user_password admin_user_ssh_key vnet_resourcegroup_name vnet_name subnet_name tags description "
        "remote_login_port_public_access identity_type identity_id location enable_node_public_ip"
    ),
    "ParallelRunConfig": _split(
        "environment entry_script error_threshold output_action compute_target node_count "
        "process_count_per_node mini_batch_size source_directory description logging_level "
        "run_invocation_timeout run_max_try append_row_file_name allowed_failed_count allowed_failed_percent "
        "partition_keys environment_variables"
    ),
    "ComputeTarget.create": ("workspace", "name", "configuration"),
    "ComputeTarget.attach": ("workspace", "name", "configuration"),
    "ComputeTarget": ("workspace", "name"),
    "ResourceConfiguration": ("cpu", "memory_in_gb", "gpu"),
    "Run": ("experiment", "run_id"),
    "Run.get": ("workspace", "run_id"),
}
"""Parameters by function, in the order of azureml-core 1.61 (and azureml-pipeline-steps 1.62)."""

FUNCTIONS: Final[dict[tuple[str, ...], str]] = {
    **{
        tuple(owner.split(".")): owner
        for owner in SIGNATURES
        if owner not in ("AksCompute.enable_ssl", "Run.register_model")
    },
    **{
        (kind, "deploy_configuration"): kind
        for kind in ("LocalWebservice", "AciWebservice", "AksWebservice", "AksEndpoint")
    },
    ("AksCompute",): "ComputeTarget",
    ("AmlCompute",): "ComputeTarget",
    ("AksCompute", "create"): "ComputeTarget.create",
    ("AmlCompute", "create"): "ComputeTarget.create",
    ("AksCompute", "attach"): "ComputeTarget.attach",
    ("Environment", "from_existing_conda_environment"): "Environment.get",
    ("CondaDependencies", "_create"): "CondaDependencies.create",
}
"""The last parts of a function's dotted name, and what it makes."""

STATED: Final = frozenset(
    {
        "Model.register",
        "Run.register_model",
        "Model.deploy",
        "Webservice.deploy_from_model",
        "Webservice.deploy",
        "ComputeTarget.create",
        "ComputeTarget.attach",
        "ParallelRunConfig",
    }
)
"""Calls that did something; the others only described it."""

CONSTANTS: Final = {
    "FAST_PROD": "FastProd",
    "DENSE_PROD": "DenseProd",
    "DEV_TEST": "DevTest",
    "SCIKITLEARN": "ScikitLearn",
    "ONNX": "Onnx",
    "TENSORFLOW": "TensorFlow",
    "TFKERAS": "TfKeras",
    "CUSTOM": "Custom",
    "MULTI": "Multi",
}
"""Constants of v1's classes by their last part: `AksCompute.ClusterPurpose.DEV_TEST`, `Model.Framework.ONNX`."""
