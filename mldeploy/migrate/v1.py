"""v1's functions as data: their parameters in order, what they are called, and which of them did something."""

from __future__ import annotations

from typing import Final


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
    "Image.create": ("workspace", "name", "models", "image_config"),
    "Image": ("workspace", "name", "id", "tags", "properties", "version"),
    "Webservice": ("workspace", "name"),
    "Webservice.deploy_from_image": _split(
        "workspace name image deployment_config deployment_target overwrite"
    ),
    "Service.update": ("image",),
    "AksEndpoint.create_version": _split(f"version_name models inference_config {_AKS_SERVICE}"),
    "Model.profile": _split(
        "workspace profile_name models inference_config input_data input_dataset cpu memory_in_gb description"
    ),
    "Model.package": ("workspace", "models", "inference_config", "generate_dockerfile", "image_name"),
    "delete": (),
    "detach": (),
    "mlflow.azureml.deploy": _split(
        "model_uri workspace deployment_config service_name model_name tags mlflow_home synchronous"
    ),
    "mlflow.azureml.build_image": _split(
        "model_uri workspace image_name model_name mlflow_home description tags synchronous"
    ),
    "mlflow.create_deployment": ("name", "model_uri", "flavor", "config", "endpoint"),
    "ParallelRunStep": _split("name parallel_run_config inputs output side_inputs arguments allow_reuse"),
    "FPGA": (),
    "Environment.register": ("workspace",),
}
"""Parameters by function, in the order of azureml-core 1.61 (and azureml-pipeline-steps 1.62)."""

_OBJECTS: Final = ("LocalWebservice", "AciWebservice", "AksWebservice", "AksEndpoint")
FUNCTIONS: Final[dict[tuple[str, ...], str]] = {
    **{
        tuple(owner.split(".")): owner
        for owner in SIGNATURES
        if owner
        not in (
            *_OBJECTS,
            "AksCompute.enable_ssl",
            "AksEndpoint.create_version",
            "Run.register_model",
            "Service.update",
            "Environment.register",
            "mlflow.create_deployment",
            "FPGA",
            "delete",
            "detach",
        )
    },
    **{(kind, "deploy_configuration"): kind for kind in _OBJECTS},
    **{(kind,): "Webservice" for kind in _OBJECTS},
    ("AciWebservice", "deploy_from_image"): "Webservice.deploy_from_image",
    ("AksWebservice", "deploy_from_image"): "Webservice.deploy_from_image",
    ("AciWebservice", "deploy_from_model"): "Webservice.deploy_from_model",
    ("AksWebservice", "deploy_from_model"): "Webservice.deploy_from_model",
    ("AciWebservice", "deploy"): "Webservice.deploy",
    ("AksWebservice", "deploy"): "Webservice.deploy",
    ("ContainerImage", "create"): "Image.create",
    ("ContainerImage",): "Image",
    ("azureml", "deploy"): "mlflow.azureml.deploy",
    ("azureml", "build_image"): "mlflow.azureml.build_image",
    ("Model", "list"): "Model",
    ("Image", "list"): "Image",
    ("ContainerImage", "list"): "Image",
    ("Webservice", "list"): "Webservice",
    ("AksCompute",): "ComputeTarget",
    ("AmlCompute",): "ComputeTarget",
    ("AksCompute", "create"): "ComputeTarget.create",
    ("AmlCompute", "create"): "ComputeTarget.create",
    ("AksCompute", "attach"): "ComputeTarget.attach",
    ("Environment", "from_existing_conda_environment"): "Environment.get",
    ("CondaDependencies", "_create"): "CondaDependencies.create",
    ("BrainwaveWebservice", "deploy_configuration"): "FPGA",
    ("BrainwaveImage", "image_configuration"): "FPGA",
    ("AccelContainerImage", "image_configuration"): "FPGA",
}
"""The last parts of a function's dotted name, and what it makes."""

METHODS: Final = {
    "register_model": "Run.register_model",
    "create_version": "AksEndpoint.create_version",
    "update_version": "AksEndpoint.create_version",
    "create_deployment": "mlflow.create_deployment",
}
"""Methods that nothing else has, whatever the object: an experiment's run is rarely known."""

OBJECT_METHODS: Final = {
    "deploy": "Model.deploy",
    "package": "Model.package",
    "profile": "Model.profile",
    "update": "Service.update",
    "update_deployment_key": "Service.update",
    "delete": "delete",
    "delete_version": "delete",
    "detach": "detach",
    "enable_ssl": "AksCompute.enable_ssl",
    "register": "Environment.register",
}
"""Methods of v1's objects that other objects have too."""

DEPLOYS: Final = (
    "Model.deploy",
    "Webservice.deploy",
    "Webservice.deploy_from_model",
    "Webservice.deploy_from_image",
    "mlflow.azureml.deploy",
    "mlflow.create_deployment",
)
"""Calls that made a web service."""

REGISTERS: Final = ("Model.register", "Run.register_model")
COMPUTES: Final = ("ComputeTarget.create", "ComputeTarget.attach")
IMAGES: Final = ("Image.create", "Model.package", "mlflow.azureml.build_image")
UPDATES: Final = ("Service.update", "AksEndpoint.create_version")
REMOVES: Final = ("delete", "detach", "Model.profile")
"""Calls that left nothing for a manifest to say."""

LOOKUPS: Final = frozenset(
    {"Model", "Image", "Webservice", "ComputeTarget", "Run", "Run.get", "Environment.get"}
)
"""Calls that only look something up."""
STATED: Final = frozenset(
    {
        *DEPLOYS,
        *REGISTERS,
        *COMPUTES,
        *IMAGES,
        *UPDATES,
        *REMOVES,
        "ParallelRunConfig",
        "ParallelRunStep",
        "FPGA",
    }
)
"""Calls that did something; the others only described it."""

ATTRIBUTES: Final = {
    ("Model.register", "name"): "model_name",
    ("Run.register_model", "name"): "model_name",
    ("Run", "id"): "run_id",
    ("Environment.from_conda_specification", "conda_dependencies"): "file_path",
}
"""Attributes of an object that are parameters of the call that made it."""

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

RETIRED_SIZES: Final = (
    (r"standard_nc(6|12|24r?)(_promo)?", "2023-09", "Standard_NC4as_T4_v3"),
    (r"standard_nc\d+r?s_v2", "2023-09", "Standard_NC4as_T4_v3"),
    (r"standard_nc\d+r?s_v3", "2025-09", "Standard_NC4as_T4_v3"),
    (r"standard_nd\d+r?s", "2023-09", "Standard_NC24ads_A100_v4"),
    (r"standard_nd40rs_v2", "2025-09", "Standard_NC24ads_A100_v4"),
    (r"standard_nv(6|12|24)(_promo)?", "2023-09", "Standard_NV6ads_A10_v5"),
    (r"standard_nv\d+s_v3", "2026-09", "Standard_NV6ads_A10_v5"),
    (r"standard_nv\d+as_v4", "2026-09", "Standard_NV6ads_A10_v5"),
    (r"(basic|standard)_a\d+", "2024-08", "Standard_D2s_v5"),
    (r"standard_h(8|16)m?r?(_promo)?", "2023-08", "Standard_D16s_v5"),
    (r"standard_hb60rs", "2024-09", "Standard_D16s_v5"),
)
"""VM sizes that are gone: the name's form, when they ended, and a size of today.

https://learn.microsoft.com/azure/virtual-machines/sizes/retirement/retired-sizes-list
"""
