# ruff: noqa: E501 - a row of the table is a line
"""v1's fields of services, targets and batches, and what becomes of each."""

from __future__ import annotations

from typing import Final

from mldeploy.migrate.findings import CHANGED, DECIDE, DROPPED, MAPPED
from mldeploy.migrate.rows_models import BY_REFERENCE, PROBE, SERVICE_TLS, SUBNET, WORKSPACE

DEPLOY: Final = (
    ("workspace", DROPPED, "", WORKSPACE, ""),
    ("name", MAPPED, "services.*", "", ""),
    ("models", MAPPED, "images.*.models", "", ""),
    ("inference_config", MAPPED, "images.*", "", ""),
    ("deployment_config", MAPPED, "services.*", "", ""),
    ("deployment_target", MAPPED, "services.*.target", "", ""),
    ("overwrite", DROPPED, "", "`up` always updates a service that is there", ""),
    ("show_output", DROPPED, "", "progress is always shown", ""),
)  # fmt: skip
KEYS_AND_TEXT: Final = (
    ("auth_enabled", MAPPED, "services.*.auth_enabled", "", "authEnabled"),
    ("cpu_cores", MAPPED, "services.*.cpu_cores", "", "containerResourceRequirements.cpu"),
    ("memory_gb", MAPPED, "services.*.memory_gb", "", "containerResourceRequirements.memoryInGB"),
    ("enable_app_insights", MAPPED, "services.*.enable_app_insights", "", "appInsightsEnabled"),
    ("primary_key", CHANGED, "services.*.primary_key", BY_REFERENCE, "keys.primaryKey"),
    ("secondary_key", CHANGED, "services.*.secondary_key", BY_REFERENCE, "keys.secondaryKey"),
    ("tags", MAPPED, "services.*.tags", "", "tags"),
    ("properties", MAPPED, "services.*.properties", "", "properties"),
    ("description", MAPPED, "services.*.description", "", "description"),
    ("collect_model_data", MAPPED, "services.*.collect_model_data", "", "dataCollection.storageEnabled"),
)  # fmt: skip
CMK = "customer-managed keys of container groups are not supported; Azure encrypts with its own"
ACI: Final = (
    *KEYS_AND_TEXT,
    ("location", MAPPED, "targets.*.location", "", "location"),
    ("ssl_enabled", MAPPED, "services.*.ssl.enabled", "", "sslEnabled"),
    ("ssl_cert_pem_file", CHANGED, "services.*.ssl.cert", BY_REFERENCE, "sslCertificate"),
    ("ssl_key_pem_file", CHANGED, "services.*.ssl.key", BY_REFERENCE, "sslKey"),
    ("ssl_cname", MAPPED, "services.*.ssl.cname", "", "cname"),
    ("dns_name_label", MAPPED, "services.*.dns_name_label", "", "dnsNameLabel"),
    ("cmk_vault_base_url", DROPPED, "", CMK, "vaultBaseUrl"),
    ("cmk_key_name", DROPPED, "", CMK, "keyName"),
    ("cmk_key_version", DROPPED, "", CMK, "keyVersion"),
    ("vnet_name", DECIDE, "targets.*.subnet_id", SUBNET, "vnetName"),
    ("subnet_name", DECIDE, "targets.*.subnet_id", SUBNET, "subnetName"),
)  # fmt: skip
AKS: Final = (
    *KEYS_AND_TEXT,
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
    ("period_seconds", MAPPED, f"{PROBE}.period_seconds", "", "livenessProbeRequirements.periodSeconds"),
    ("initial_delay_seconds", MAPPED, f"{PROBE}.initial_delay_seconds", "", "livenessProbeRequirements.initialDelaySeconds"),
    ("timeout_seconds", MAPPED, f"{PROBE}.timeout_seconds", "", "livenessProbeRequirements.timeoutSeconds"),
    ("success_threshold", MAPPED, f"{PROBE}.success_threshold", "", "livenessProbeRequirements.successThreshold"),
    ("failure_threshold", MAPPED, f"{PROBE}.failure_threshold", "", "livenessProbeRequirements.failureThreshold"),
    ("namespace", MAPPED, "services.*.namespace", "", "namespace"),
    ("token_auth_enabled", DECIDE, "services.*.auth_enabled", "tokens are not supported; clients use a key", "tokenAuthEnabled"),
    ("compute_target_name", MAPPED, "services.*.target", "", "computeTargetName"),
    ("cpu_cores_limit", MAPPED, "services.*.cpu_cores_limit", "", "containerResourceRequirements.cpuLimit"),
    ("memory_gb_limit", MAPPED, "services.*.memory_gb_limit", "", "containerResourceRequirements.memoryInGBLimit"),
    ("blobfuse_enabled", DROPPED, "", "models are part of the image", ""),
)  # fmt: skip
AKS_ENDPOINT: Final = (
    ("version_name", DROPPED, "", "a version's name follows from its content", "versionName"),
    ("traffic_percentile", CHANGED, "services.*.rollout.steps", "a new version gets traffic step by step, and goes back by itself", "trafficPercentile"),
    ("is_default", DROPPED, "", "the newest version is the default", ""),
    ("is_control_version_type", DROPPED, "", "the version before is what a rollout compares with", ""),
)  # fmt: skip
LOCAL: Final = (("port", MAPPED, "services.*.port", "without it: 8890 and up", "port"),)
PROVISION: Final = (
    ("agent_count", MAPPED, "targets.*.create.agent_count", "", ""),
    ("vm_size", MAPPED, "targets.*.create.vm_size", "without it v1 took Standard_D3_v2; the default here is Standard_D4s_v5", ""),
    ("ssl_cname", CHANGED, "services.*.ssl.cname", SERVICE_TLS, ""),
    ("ssl_cert_pem_file", CHANGED, "services.*.ssl.cert", SERVICE_TLS, ""),
    ("ssl_key_pem_file", CHANGED, "services.*.ssl.key", SERVICE_TLS, ""),
    ("location", MAPPED, "targets.*.create.location", "", ""),
    ("vnet_resourcegroup_name", DECIDE, "targets.*.create.subnet_id", SUBNET, ""),
    ("vnet_name", DECIDE, "targets.*.create.subnet_id", SUBNET, ""),
    ("subnet_name", DECIDE, "targets.*.create.subnet_id", SUBNET, ""),
    ("service_cidr", MAPPED, "targets.*.create.service_cidr", "", ""),
    ("dns_service_ip", MAPPED, "targets.*.create.dns_service_ip", "", ""),
    ("docker_bridge_cidr", DROPPED, "", "AKS does not use it any more", ""),
    ("cluster_purpose", MAPPED, "targets.*.create.cluster_purpose", "FastProd, DenseProd, DevTest are written fast_prod, dense_prod, dev_test", ""),
    ("load_balancer_type", DECIDE, "targets.*.gateway", "an internal load balancer is a setting of your gateway", ""),
    ("load_balancer_subnet", DECIDE, "targets.*.gateway", "an internal load balancer is a setting of your gateway", ""),
)  # fmt: skip
ATTACH: Final = (
    ("resource_group", MAPPED, "targets.*.attach.resource_group", "", ""),
    ("cluster_name", MAPPED, "targets.*.attach.cluster_name", "", ""),
    ("resource_id", CHANGED, "targets.*.attach", "split into subscription, resource group and name", ""),
    ("cluster_purpose", MAPPED, "targets.*.attach.cluster_purpose", "FastProd, DenseProd, DevTest are written fast_prod, dense_prod, dev_test", ""),
    ("load_balancer_type", DECIDE, "targets.*.gateway", "an internal load balancer is a setting of your gateway", ""),
    ("load_balancer_subnet", DECIDE, "targets.*.gateway", "an internal load balancer is a setting of your gateway", ""),
)  # fmt: skip
ENABLE_SSL: Final = (
    ("ssl_cname", CHANGED, "services.*.ssl.cname", SERVICE_TLS, ""),
    ("ssl_cert_pem_file", CHANGED, "services.*.ssl.cert", SERVICE_TLS, ""),
    ("ssl_key_pem_file", CHANGED, "services.*.ssl.key", SERVICE_TLS, ""),
    ("leaf_domain_label", CHANGED, "services.*.ssl.leaf_domain_label", SERVICE_TLS, ""),
    ("overwrite_existing_domain", DROPPED, "", "a DNS label is the stack's own", ""),
)  # fmt: skip
NO_SSH = "nobody logs in to the nodes"
AMLCOMPUTE: Final = (
    ("vm_size", MAPPED, "targets.*.vm_size", "", ""),
    ("vm_priority", CHANGED, "targets.*.vm_priority", "low-priority VMs ended in March 2026: always dedicated", ""),
    ("min_nodes", MAPPED, "targets.*.min_nodes", "", ""),
    ("max_nodes", MAPPED, "targets.*.max_nodes", "", ""),
    ("idle_seconds_before_scaledown", MAPPED, "targets.*.idle_seconds_before_scaledown", "60 at least", ""),
    ("admin_username", DROPPED, "", NO_SSH, ""),
    ("admin_user_password", DROPPED, "", NO_SSH, ""),
    ("admin_user_ssh_key", DROPPED, "", NO_SSH, ""),
    ("vnet_resourcegroup_name", DECIDE, "targets.*.subnet_id", SUBNET, ""),
    ("vnet_name", DECIDE, "targets.*.subnet_id", SUBNET, ""),
    ("subnet_name", DECIDE, "targets.*.subnet_id", SUBNET, ""),
    ("tags", MAPPED, "targets.*.tags", "", ""),
    ("description", MAPPED, "targets.*.description", "", ""),
    ("remote_login_port_public_access", DROPPED, "", NO_SSH, ""),
    ("identity_type", DROPPED, "", "the compute has a managed identity of the stack's", ""),
    ("identity_id", DROPPED, "", "the compute has a managed identity of the stack's", ""),
    ("location", MAPPED, "targets.*.location", "", ""),
    ("enable_node_public_ip", DECIDE, "targets.*.subnet_id", "nodes without public addresses need a subnet", ""),
)  # fmt: skip
PARALLEL: Final = (
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
STEP: Final = (
    ("name", DROPPED, "", "a batch service has no pipeline around it", ""),
    ("parallel_run_config", MAPPED, "services.*.batch", "", ""),
    ("inputs", CHANGED, "", "given when a batch is started", ""),
    ("output", CHANGED, "", "given when a batch is started", ""),
    ("side_inputs", DROPPED, "", "what the script needs beside its model goes into its folder", ""),
    ("arguments", CHANGED, "images.*.models", "the model that they name is part of the image; other arguments become environment variables", ""),
    ("models", MAPPED, "images.*.models", "", ""),
    ("allow_reuse", DROPPED, "", "every batch scores anew", ""),
    ("parallel_run_config_file", DROPPED, "", "a detail of v1's client", ""),
    ("tags", DROPPED, "", "tag the service", ""),
    ("properties", DROPPED, "", "use the service's properties", ""),
    ("compute_target", MAPPED, "services.*.target", "", ""),
)  # fmt: skip
COMPUTE: Final = (
    ("workspace", DROPPED, "", WORKSPACE, ""),
    ("name", MAPPED, "targets.*", "", ""),
    ("configuration", MAPPED, "targets.*", "see the configurations below", ""),
)  # fmt: skip
SIZE: Final = tuple(
    (name, CHANGED, f"services.*.{to}", "CPU, memory and GPU are the service's, not the model's", "")
    for name, to in (("cpu", "cpu_cores"), ("memory_in_gb", "memory_gb"), ("gpu", "gpu_cores"))
)
MLFLOW: Final = (
    ("model_uri", MAPPED, "models.*.source", "", ""),
    ("workspace", DROPPED, "", WORKSPACE, ""),
    ("deployment_config", MAPPED, "services.*", "", ""),
    ("service_name", MAPPED, "services.*", "", ""),
    ("name", MAPPED, "services.*", "", ""),
    ("model_name", MAPPED, "models.*", "", ""),
    ("tags", MAPPED, "services.*.tags", "", ""),
    ("config", DECIDE, "services.*", "a dictionary or file of the client: write its keys into the service", ""),
    ("synchronous", DROPPED, "", "`up` ends when the new version serves", ""),
    ("description", DROPPED, "", "describe the service", ""),
    ("flavor", DROPPED, "", "MLflow's own choice is right", ""),
    ("endpoint", DROPPED, "", "a service has an address of its own", ""),
    ("mlflow_home", DROPPED, "", "the scoring server needs no source of MLflow", ""),
    ("image_name", MAPPED, "images.*", "", ""),
)  # fmt: skip
CLI: Final = (
    ("--model", MAPPED, "images.*.models", "`--model name:version=path` says where its files are", ""),
    ("--name", MAPPED, "services.*", "", ""),
    ("--inference-config-file", MAPPED, "images.*", "", ""),
    ("--deploy-config-file", MAPPED, "services.*", "", ""),
    ("--compute-target", MAPPED, "services.*.target", "", ""),
    ("--tag", MAPPED, "services.*.tags", "", ""),
    ("--property", MAPPED, "services.*.properties", "", ""),
    ("--description", MAPPED, "services.*.description", "", ""),
    ("--overwrite", DROPPED, "", "`up` always updates a service that is there", ""),
    ("--workspace-name", DROPPED, "", WORKSPACE, ""),
    ("--resource-group", DROPPED, "", WORKSPACE, ""),
    ("--no-wait", DROPPED, "", "`up` ends when the new version serves", ""),
)  # fmt: skip
FPGA: Final = (
    "Azure ML's FPGA service is retired, and so are its VM sizes: use a GPU size, or ONNX Runtime on CPU"
)
CALLS: Final = (
    ("delete", DROPPED, "", "removing an entry from the manifest deletes it at the next `up`; `mldeploy destroy` deletes all", ""),
    ("detach", DROPPED, "", "an attached cluster is never the stack's: removing its target leaves it alone", ""),
    ("Model.profile", DROPPED, "", "measure the running service instead: `mldeploy score`, with the sizes of `services.*.cpu_cores` and `memory_gb`", ""),
    ("FPGA", DROPPED, "", FPGA, ""),
    ("az ml", DROPPED, "", "a command of CLI v1 that leaves nothing for a manifest to say", ""),
    ("az ml (v2)", DROPPED, "", "a command of CLI v2, which this import does not read", ""),
)  # fmt: skip
COMPUTE_TYPE = ("computeType", MAPPED, "targets.*.type", "local, aci, aks (also of an AKS endpoint)", "")
