# ruff: noqa: E501 - a row of the table is a line
"""Every documented v1 field and what becomes of it. `docs/migration.md` shows this table; a test compares the two.

The fields are those of azureml-core 1.61 (`azureml.core.model`, `.webservice`, `.compute`, `.environment`), of
azureml-pipeline-steps 1.62 (`ParallelRunConfig`), and of the JSON files of CLI v1, which azureml-core reads in
`deploy_config_dict_to_obj`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mldeploy.migrate.findings import Outcome

MAPPED, CHANGED, DROPPED, DECIDE = Outcome.MAPPED, Outcome.CHANGED, Outcome.DROPPED, Outcome.DECIDE


@dataclass(frozen=True)
class Field:
    """A v1 field."""

    owner: str
    """Its class, function or file."""
    name: str
    outcome: Outcome
    """What usually becomes of it; single values can have another outcome."""
    to: str
    """Where in the manifest, with `*` for the entry's name; empty when dropped."""
    why: str = ""
    json: str = ""
    """Its key in the JSON file of the CLI, where it has one."""


_BY_REFERENCE = "a manifest names secrets and never holds one; set it with `pulumi config set --secret`"
_SUBNET = "v1 named a network and a subnet; the manifest takes the subnet's resource id"
_WORKSPACE = "the workspace is the stack's: `azure: {workspace: {existing: <resource id>}}`, or a new one"
_SERVICE_TLS = "TLS belongs to the services: `services.*.ssl`"
_PROBE = "services.*.probes"

_INFERENCE: Final = (
    ("entry_script", MAPPED, "images.*.entry_script", "", "entryScript"),
    ("source_directory", MAPPED, "images.*.source_directory", "without it: the script's own folder; here all files of it go into the image", "sourceDirectory"),
    ("runtime", MAPPED, "images.*.runtime", "", "runtime"),
    ("conda_file", MAPPED, "images.*.conda_file", "", "condaFile"),
    ("extra_docker_file_steps", DECIDE, "images.*.base_image", "put the steps into a base image of your own", "extraDockerfileSteps"),
    ("enable_gpu", DECIDE, "images.*.base_image", "choose a base image with CUDA; Microsoft's may run on Azure only", "enableGpu"),
    ("cuda_version", DECIDE, "images.*.base_image", "choose a base image with that CUDA version", "cudaVersion"),
    ("description", MAPPED, "images.*.description", "", "description"),
    ("base_image", MAPPED, "images.*.base_image", "", "baseImage"),
    ("base_image_registry", MAPPED, "images.*.base_image_registry", "its password becomes a reference", "baseImageRegistry"),
    ("environment", CHANGED, "images.*", "its parts are keys of the image, see Environment", "environment"),
)  # fmt: skip
_ENVIRONMENT: Final = (
    ("name", DROPPED, "", "an image's environment has no name of its own: its content decides", "name"),
    ("version", DROPPED, "", "an image's version follows from its content", "version"),
    ("docker.base_image", MAPPED, "images.*.base_image", "", "docker.baseImage"),
    ("docker.base_image_registry", MAPPED, "images.*.base_image_registry", "its password becomes a reference", "docker.baseImageRegistry"),
    ("docker.base_dockerfile", DECIDE, "images.*.base_image", "build it, push it, and name the image", "docker.baseDockerfile"),
    ("docker.platform", MAPPED, "images.*.platform", "", "docker.platform"),
    ("docker.enabled", DROPPED, "", "the target decides whether there is a container", "docker.enabled"),
    ("docker.arguments", DROPPED, "", "only training used them", "docker.arguments"),
    ("docker.shared_volumes", DROPPED, "", "only training used them", "docker.sharedVolumes"),
    ("docker.shm_size", DROPPED, "", "only training used it", "docker.shmSize"),
    ("docker.gpu_support", DROPPED, "", "deprecated in v1 already; the base image decides", "docker.gpuSupport"),
    ("environment_variables", MAPPED, "images.*.environment_variables", "those that look like secrets become references", "environmentVariables"),
    ("python.conda_dependencies", CHANGED, "images.*.conda_file", "packages are listed in a conda file, which the import writes", "python.condaDependencies"),
    ("python.conda_dependencies_file", MAPPED, "images.*.conda_file", "", "python.condaDependenciesFile"),
    ("python.interpreter_path", DROPPED, "", "the base image's `python` is found by itself", "python.interpreterPath"),
    ("python.user_managed_dependencies", CHANGED, "images.*.conda_file", "true: the base image brings the packages, so there is no conda_file", "python.userManagedDependencies"),
    ("python.base_conda_environment", DROPPED, "", "packages go into the image's own environment", "python.baseCondaEnvironment"),
    ("inferencing_stack_version", DROPPED, "", "the scoring server is part of the project and versioned with it", "inferencingStackVersion"),
    ("r", DROPPED, "", "entry scripts are Python", "r"),
    ("spark", DECIDE, "images.*.base_image", "choose a base image with Spark and these packages", "spark"),
    ("databricks", DROPPED, "", "only training used it", "databricks"),
    ("asset_id", DROPPED, "", "an id of v1's own", "assetId"),
)  # fmt: skip
_REGISTRY: Final = (
    ("address", MAPPED, "images.*.base_image_registry.address", "", "address"),
    ("username", MAPPED, "images.*.base_image_registry.username", "", "username"),
    ("password", CHANGED, "images.*.base_image_registry.password", _BY_REFERENCE, "password"),
    ("registry_identity", DROPPED, "", "images are pulled with the stack's managed identity", "registryIdentity"),
)  # fmt: skip
_REGISTER: Final = (
    ("workspace", DROPPED, "", _WORKSPACE, ""),
    ("model_path", MAPPED, "models.*.source", "", ""),
    ("model_name", MAPPED, "models.*", "", ""),
    ("tags", MAPPED, "models.*.tags", "", ""),
    ("properties", MAPPED, "models.*.properties", "", ""),
    ("description", MAPPED, "models.*.description", "", ""),
    ("datasets", DROPPED, "", "data sets are not registered here; name them in tags", ""),
    ("model_framework", MAPPED, "models.*.model_framework", "", ""),
    ("model_framework_version", MAPPED, "models.*.model_framework_version", "", ""),
    ("child_paths", DECIDE, "models.*.source", "put just these files into a folder, and name that", ""),
    ("sample_input_dataset", DECIDE, "services.*.golden", "golden requests do more: they gate every new version", ""),
    ("sample_output_dataset", DECIDE, "services.*.golden", "golden requests do more: they gate every new version", ""),
    ("resource_configuration", CHANGED, "services.*.cpu_cores", "CPU, memory and GPU are the service's, not the model's", ""),
)  # fmt: skip
_RUN_REGISTER: Final = tuple(
    ("model_path", CHANGED, "models.*.source", "an output of the run: `azureml://jobs/<run id>/outputs/artifacts/<path>`", "") if row[0] == "model_path" else row
    for row in _REGISTER if row[0] not in ("workspace", "child_paths")
)  # fmt: skip
_MODEL: Final = (
    ("workspace", DROPPED, "", _WORKSPACE, ""),
    ("name", DECIDE, "models.*.source", "a model that is registered already: download its files and name them", ""),
    ("id", DECIDE, "models.*.source", "a model that is registered already: download its files and name them", ""),
    ("version", DROPPED, "", "here the version follows from the content, so that v1's number means nothing; the files decide", ""),
    ("tags", DROPPED, "", "a filter of v1's registry", ""),
    ("properties", DROPPED, "", "a filter of v1's registry", ""),
    ("run_id", DROPPED, "", "a filter of v1's registry", ""),
    ("model_framework", DROPPED, "", "a filter of v1's registry", ""),
    ("expand", DROPPED, "", "a detail of v1's client", ""),
)  # fmt: skip
_DEPLOY: Final = (
    ("workspace", DROPPED, "", _WORKSPACE, ""),
    ("name", MAPPED, "services.*", "", ""),
    ("models", MAPPED, "images.*.models", "", ""),
    ("inference_config", MAPPED, "images.*", "", ""),
    ("deployment_config", MAPPED, "services.*", "", ""),
    ("deployment_target", MAPPED, "services.*.target", "", ""),
    ("overwrite", DROPPED, "", "`up` always updates a service that is there", ""),
    ("show_output", DROPPED, "", "progress is always shown", ""),
)  # fmt: skip
_KEYS_AND_TEXT: Final = (
    ("auth_enabled", MAPPED, "services.*.auth_enabled", "", "authEnabled"),
    ("cpu_cores", MAPPED, "services.*.cpu_cores", "", "containerResourceRequirements.cpu"),
    ("memory_gb", MAPPED, "services.*.memory_gb", "", "containerResourceRequirements.memoryInGB"),
    ("enable_app_insights", MAPPED, "services.*.enable_app_insights", "", "appInsightsEnabled"),
    ("primary_key", CHANGED, "services.*.primary_key", _BY_REFERENCE, "keys.primaryKey"),
    ("secondary_key", CHANGED, "services.*.secondary_key", _BY_REFERENCE, "keys.secondaryKey"),
    ("tags", MAPPED, "services.*.tags", "", "tags"),
    ("properties", MAPPED, "services.*.properties", "", "properties"),
    ("description", MAPPED, "services.*.description", "", "description"),
    ("collect_model_data", MAPPED, "services.*.collect_model_data", "", "dataCollection.storageEnabled"),
)  # fmt: skip
_CMK = "customer-managed keys of container groups are not supported; Azure encrypts with its own"
_ACI: Final = (
    *_KEYS_AND_TEXT,
    ("location", MAPPED, "targets.*.location", "", "location"),
    ("ssl_enabled", MAPPED, "services.*.ssl.enabled", "", "sslEnabled"),
    ("ssl_cert_pem_file", CHANGED, "services.*.ssl.cert", _BY_REFERENCE, "sslCertificate"),
    ("ssl_key_pem_file", CHANGED, "services.*.ssl.key", _BY_REFERENCE, "sslKey"),
    ("ssl_cname", MAPPED, "services.*.ssl.cname", "", "cname"),
    ("dns_name_label", MAPPED, "services.*.dns_name_label", "", "dnsNameLabel"),
    ("cmk_vault_base_url", DROPPED, "", _CMK, "vaultBaseUrl"),
    ("cmk_key_name", DROPPED, "", _CMK, "keyName"),
    ("cmk_key_version", DROPPED, "", _CMK, "keyVersion"),
    ("vnet_name", DECIDE, "targets.*.subnet_id", _SUBNET, "vnetName"),
    ("subnet_name", DECIDE, "targets.*.subnet_id", _SUBNET, "subnetName"),
)  # fmt: skip
_AKS: Final = (
    *_KEYS_AND_TEXT,
    ("autoscale_enabled", MAPPED, "services.*.autoscale.enabled", "", "autoScaler.autoscaleEnabled"),
    ("autoscale_min_replicas", MAPPED, "services.*.autoscale.min_replicas", "", "autoScaler.minReplicas"),
    ("autoscale_max_replicas", MAPPED, "services.*.autoscale.max_replicas", "", "autoScaler.maxReplicas"),
    ("autoscale_refresh_seconds", MAPPED, "services.*.autoscale.refresh_seconds", "", "autoScaler.refreshPeriodInSeconds"),
    ("autoscale_target_utilization", MAPPED, "services.*.autoscale.target_utilization", "of the CPU; v1 meant busy replicas", "autoScaler.targetUtilization"),
    ("scoring_timeout_ms", MAPPED, "services.*.scoring_timeout_ms", "", "scoringTimeoutMs"),
    ("replica_max_concurrent_requests", MAPPED, "services.*.replica_max_concurrent_requests", "", "maxConcurrentRequestsPerContainer"),
    ("max_request_wait_time", MAPPED, "services.*.max_request_wait_time", "", "maxQueueWaitMs"),
    ("num_replicas", MAPPED, "services.*.num_replicas", "", "numReplicas"),
    ("gpu_cores", MAPPED, "services.*.gpu_cores", "", "gpuCores"),
    ("period_seconds", MAPPED, f"{_PROBE}.period_seconds", "", "livenessProbeRequirements.periodSeconds"),
    ("initial_delay_seconds", MAPPED, f"{_PROBE}.initial_delay_seconds", "", "livenessProbeRequirements.initialDelaySeconds"),
    ("timeout_seconds", MAPPED, f"{_PROBE}.timeout_seconds", "", "livenessProbeRequirements.timeoutSeconds"),
    ("success_threshold", MAPPED, f"{_PROBE}.success_threshold", "", "livenessProbeRequirements.successThreshold"),
    ("failure_threshold", MAPPED, f"{_PROBE}.failure_threshold", "", "livenessProbeRequirements.failureThreshold"),
    ("namespace", MAPPED, "services.*.namespace", "", "namespace"),
    ("token_auth_enabled", DECIDE, "services.*.auth_enabled", "tokens are not supported; clients use a key", "tokenAuthEnabled"),
    ("compute_target_name", MAPPED, "services.*.target", "", "computeTargetName"),
    ("cpu_cores_limit", MAPPED, "services.*.cpu_cores_limit", "", "containerResourceRequirements.cpuLimit"),
    ("memory_gb_limit", MAPPED, "services.*.memory_gb_limit", "", "containerResourceRequirements.memoryInGBLimit"),
    ("blobfuse_enabled", DROPPED, "", "models are part of the image", ""),
)  # fmt: skip
_AKS_ENDPOINT: Final = (
    ("version_name", DROPPED, "", "a version's name follows from its content", "versionName"),
    ("traffic_percentile", CHANGED, "services.*.rollout.steps", "a new version gets traffic step by step, and goes back by itself", "trafficPercentile"),
    ("is_default", DROPPED, "", "the newest version is the default", ""),
    ("is_control_version_type", DROPPED, "", "the version before is what a rollout compares with", ""),
)  # fmt: skip
_LOCAL: Final = (("port", MAPPED, "services.*.port", "without it: 8890 and up", "port"),)
_PROVISION: Final = (
    ("agent_count", MAPPED, "targets.*.create.agent_count", "", ""),
    ("vm_size", MAPPED, "targets.*.create.vm_size", "without it v1 took Standard_D3_v2; the default here is Standard_D4s_v5", ""),
    ("ssl_cname", CHANGED, "services.*.ssl.cname", _SERVICE_TLS, ""),
    ("ssl_cert_pem_file", CHANGED, "services.*.ssl.cert", _SERVICE_TLS, ""),
    ("ssl_key_pem_file", CHANGED, "services.*.ssl.key", _SERVICE_TLS, ""),
    ("location", MAPPED, "targets.*.create.location", "", ""),
    ("vnet_resourcegroup_name", DECIDE, "targets.*.create.subnet_id", _SUBNET, ""),
    ("vnet_name", DECIDE, "targets.*.create.subnet_id", _SUBNET, ""),
    ("subnet_name", DECIDE, "targets.*.create.subnet_id", _SUBNET, ""),
    ("service_cidr", MAPPED, "targets.*.create.service_cidr", "", ""),
    ("dns_service_ip", MAPPED, "targets.*.create.dns_service_ip", "", ""),
    ("docker_bridge_cidr", DROPPED, "", "AKS does not use it any more", ""),
    ("cluster_purpose", MAPPED, "targets.*.create.cluster_purpose", "FastProd, DenseProd, DevTest are written fast_prod, dense_prod, dev_test", ""),
    ("load_balancer_type", DECIDE, "targets.*.gateway", "an internal load balancer is a setting of your gateway", ""),
    ("load_balancer_subnet", DECIDE, "targets.*.gateway", "an internal load balancer is a setting of your gateway", ""),
)  # fmt: skip
_ATTACH: Final = (
    ("resource_group", MAPPED, "targets.*.attach.resource_group", "", ""),
    ("cluster_name", MAPPED, "targets.*.attach.cluster_name", "", ""),
    ("resource_id", CHANGED, "targets.*.attach", "split into subscription, resource group and name", ""),
    ("cluster_purpose", MAPPED, "targets.*.attach.cluster_purpose", "FastProd, DenseProd, DevTest are written fast_prod, dense_prod, dev_test", ""),
    ("load_balancer_type", DECIDE, "targets.*.gateway", "an internal load balancer is a setting of your gateway", ""),
    ("load_balancer_subnet", DECIDE, "targets.*.gateway", "an internal load balancer is a setting of your gateway", ""),
)  # fmt: skip
_ENABLE_SSL: Final = (
    ("ssl_cname", CHANGED, "services.*.ssl.cname", _SERVICE_TLS, ""),
    ("ssl_cert_pem_file", CHANGED, "services.*.ssl.cert", _SERVICE_TLS, ""),
    ("ssl_key_pem_file", CHANGED, "services.*.ssl.key", _SERVICE_TLS, ""),
    ("leaf_domain_label", CHANGED, "services.*.ssl.leaf_domain_label", _SERVICE_TLS, ""),
    ("overwrite_existing_domain", DROPPED, "", "a DNS label is the stack's own", ""),
)  # fmt: skip
_NO_SSH = "nobody logs in to the nodes"
_AMLCOMPUTE: Final = (
    ("vm_size", MAPPED, "targets.*.vm_size", "", ""),
    ("vm_priority", CHANGED, "targets.*.vm_priority", "low-priority VMs ended in March 2026: always dedicated", ""),
    ("min_nodes", MAPPED, "targets.*.min_nodes", "", ""),
    ("max_nodes", MAPPED, "targets.*.max_nodes", "", ""),
    ("idle_seconds_before_scaledown", MAPPED, "targets.*.idle_seconds_before_scaledown", "60 at least", ""),
    ("admin_username", DROPPED, "", _NO_SSH, ""),
    ("admin_user_password", DROPPED, "", _NO_SSH, ""),
    ("admin_user_ssh_key", DROPPED, "", _NO_SSH, ""),
    ("vnet_resourcegroup_name", DECIDE, "targets.*.subnet_id", _SUBNET, ""),
    ("vnet_name", DECIDE, "targets.*.subnet_id", _SUBNET, ""),
    ("subnet_name", DECIDE, "targets.*.subnet_id", _SUBNET, ""),
    ("tags", MAPPED, "targets.*.tags", "", ""),
    ("description", MAPPED, "targets.*.description", "", ""),
    ("remote_login_port_public_access", DROPPED, "", _NO_SSH, ""),
    ("identity_type", DROPPED, "", "the compute has a managed identity of the stack's", ""),
    ("identity_id", DROPPED, "", "the compute has a managed identity of the stack's", ""),
    ("location", MAPPED, "targets.*.location", "", ""),
    ("enable_node_public_ip", DECIDE, "targets.*.subnet_id", "nodes without public addresses need a subnet", ""),
)  # fmt: skip
_PARALLEL: Final = (
    ("environment", CHANGED, "images.*", "its parts are keys of the image, see Environment", ""),
    ("entry_script", MAPPED, "images.*.entry_script", "", ""),
    ("error_threshold", MAPPED, "services.*.batch.error_threshold", "", ""),
    ("output_action", MAPPED, "services.*.batch.output_action", "", ""),
    ("compute_target", MAPPED, "services.*.target", "", ""),
    ("node_count", MAPPED, "services.*.batch.instance_count", "", ""),
    ("process_count_per_node", MAPPED, "services.*.batch.max_concurrency_per_instance", "", ""),
    ("mini_batch_size", MAPPED, "services.*.batch.mini_batch_size", "a number of files; sizes in KB or MB were for tabular data", ""),
    ("source_directory", MAPPED, "images.*.source_directory", "", ""),
    ("description", MAPPED, "services.*.description", "", ""),
    ("logging_level", MAPPED, "services.*.batch.logging_level", "in small letters", ""),
    ("run_invocation_timeout", MAPPED, "services.*.batch.retry_settings.timeout", "", ""),
    ("run_max_try", MAPPED, "services.*.batch.retry_settings.max_retries", "", ""),
    ("append_row_file_name", MAPPED, "services.*.batch.output_file_name", "", ""),
    ("allowed_failed_count", DROPPED, "", "error_threshold says how many files may fail", ""),
    ("allowed_failed_percent", DROPPED, "", "error_threshold says how many files may fail", ""),
    ("partition_keys", DROPPED, "", "batch endpoints score files, not partitions", ""),
    ("environment_variables", MAPPED, "images.*.environment_variables", "", ""),
)  # fmt: skip
_CONTAINER_IMAGE: Final = (
    ("execution_script", MAPPED, "images.*.entry_script", "", ""),
    ("runtime", MAPPED, "images.*.runtime", "", ""),
    ("conda_file", MAPPED, "images.*.conda_file", "", ""),
    ("docker_file", DECIDE, "images.*.base_image", "put the steps into a base image of your own", ""),
    ("schema_file", DECIDE, "images.*.entry_script", "decorate `run()` with inference-schema instead", ""),
    ("dependencies", DECIDE, "images.*.source_directory", "put the files beside the script: the whole folder is in the image", ""),
    ("enable_gpu", DECIDE, "images.*.base_image", "choose a base image with CUDA; Microsoft's may run on Azure only", ""),
    ("cuda_version", DECIDE, "images.*.base_image", "choose a base image with that CUDA version", ""),
    ("tags", DROPPED, "", "tag the service", ""),
    ("properties", DROPPED, "", "use the service's properties", ""),
    ("description", MAPPED, "images.*.description", "", ""),
    ("base_image", MAPPED, "images.*.base_image", "", ""),
    ("base_image_registry", MAPPED, "images.*.base_image_registry", "its password becomes a reference", ""),
)  # fmt: skip
_CLI: Final = (
    ("--model", MAPPED, "images.*.models", "`--model name:version=path` says where its files are", ""),
    ("--name", MAPPED, "services.*", "", ""),
    ("--inference-config-file", MAPPED, "images.*", "", ""),
    ("--deploy-config-file", MAPPED, "services.*", "", ""),
    ("--compute-target", MAPPED, "services.*.target", "", ""),
    ("--tag", MAPPED, "services.*.tags", "", ""),
    ("--property", MAPPED, "services.*.properties", "", ""),
    ("--description", MAPPED, "services.*.description", "", ""),
    ("--overwrite", DROPPED, "", "`up` always updates a service that is there", ""),
    ("--workspace-name", DROPPED, "", _WORKSPACE, ""),
    ("--resource-group", DROPPED, "", _WORKSPACE, ""),
    ("--no-wait", DROPPED, "", "`up` ends when the new version serves", ""),
)  # fmt: skip
_COMPUTE_TYPE = ("computeType", MAPPED, "targets.*.type", "local, aci, aks (also of an AKS endpoint)", "")

_OWNERS: Final = {
    "InferenceConfig": _INFERENCE,
    "ContainerRegistry": _REGISTRY,
    "Environment": _ENVIRONMENT,
    "Model.register": _REGISTER,
    "Run.register_model": _RUN_REGISTER,
    "Model": _MODEL,
    "Model.deploy": _DEPLOY,
    "LocalWebservice": _LOCAL,
    "AciWebservice": _ACI,
    "AksWebservice": _AKS,
    "AksEndpoint": _AKS_ENDPOINT,
    "AksCompute.provisioning_configuration": _PROVISION,
    "AksCompute.attach_configuration": _ATTACH,
    "AksCompute.enable_ssl": _ENABLE_SSL,
    "AmlCompute.provisioning_configuration": _AMLCOMPUTE,
    "ParallelRunConfig": _PARALLEL,
    "ContainerImage.image_configuration": _CONTAINER_IMAGE,
    "deploymentconfig.json": (_COMPUTE_TYPE,),
    "az ml model deploy": _CLI,
}
FIELDS: Final = tuple(Field(owner, *row) for owner, rows in _OWNERS.items() for row in rows)
"""All rows, in the order of the documentation."""


@lru_cache(maxsize=1)
def _index() -> dict[tuple[str, str], Field]:
    return {(field.owner, field.name): field for field in FIELDS}


def by_name(owner: str, name: str) -> Field | None:
    """The row of a field. `AksEndpoint` has those of `AksWebservice` too."""
    found = _index().get((owner, name))
    if found is None and owner == "AksEndpoint":
        return _index().get(("AksWebservice", name))
    return found


def names(owner: str) -> list[str]:
    """The parameters of a v1 function in the order of its signature, as far as the table keeps it."""
    return [field.name for field in FIELDS if field.owner == owner]


def json_fields(owner: str) -> Iterator[Field]:
    """The fields of an owner that have a key in a JSON file."""
    owners = ("AksWebservice", "AksEndpoint") if owner == "AksEndpoint" else (owner,)
    return (field for field in FIELDS if field.owner in owners and field.json)
