"""Commands of CLI v1 and their options, by the parameter of the SDK that each is."""

from __future__ import annotations

from typing import Final


def _table(*lines: str) -> dict[str, str]:
    """Options by name: each line has the parameter, then its options."""
    found: dict[str, str] = {}
    for line in lines:
        parameter, *options = line.split()
        found |= dict.fromkeys(options, parameter)
    return found


WORKSPACE: Final = _table(
    "workspace -w --workspace-name -g --resource-group --subscription-id --path",
)
"""Options of every command; the workspace is the stack's."""
COMMON: Final = _table(
    "show_output -v --verbose --debug -o --output --no-wait --yes -y --query",
    "overwrite --overwrite",
)
INFERENCE: Final = _table(
    "entry_script --entry-script --es",
    "runtime --runtime --rt",
    "conda_file --conda-file --cf",
    "source_directory --source-directory --sd",
    "base_image --base-image --bi",
    "extra_docker_file_steps --extra-docker-file-steps --ed",
    "enable_gpu --enable-gpu --eg",
    "cuda_version --cuda-version --cv",
    "environment -e --environment-name",
)
"""An inference configuration, option by option."""
_SIZES: Final = _table(
    "cpu_cores --cc --cpu-cores",
    "memory_gb --gb --memory-gb",
    "gpu_cores --gc --gpu-cores",
    "num_replicas --nr --num-replicas",
    "autoscale_enabled --ao --autoscale-enabled",
    "enable_app_insights --ai --enable-app-insights",
    "auth_enabled --ac --auth-enabled",
    "autoscale_min_replicas --autoscale-min-replicas",
    "autoscale_max_replicas --autoscale-max-replicas",
    "collect_model_data --collect-model-data --md",
    "scoring_timeout_ms --scoring-timeout-ms --tm",
    "port --port",
    "namespace --namespace",
    "dns_name_label --dns-name-label",
    "location --lo --location",
)
_TEXTS: Final = _table(
    "tags --tag --tags",
    "properties --property --properties",
    "description -d --description",
)

COMMANDS: Final[dict[tuple[str, ...], tuple[str, dict[str, str]]]] = {
    ("model", "register"): (
        "Model.register",
        {
            **_table(
                "model_name -n --name",
                "model_path -p --model-path",
                "asset_path --asset-path",
                "run_id --run-id -r",
                "run_file -f --run-metadata-file",
                "workspace --experiment-name -t --output-metadata-file",
                "model_framework --model-framework",
                "model_framework_version --model-framework-version",
                "cpu --cc --cpu-cores",
                "memory_gb --gb --memory-gb",
                "sample_input_dataset --sample-input-dataset-id",
                "sample_output_dataset --sample-output-dataset-id",
            ),
            **_TEXTS,
        },
    ),
    ("model", "deploy"): (
        "Model.deploy",
        {
            **_table(
                "name -n --name",
                "models -m --model",
                "inference_config --ic --inference-config-file",
                "deployment_config --dc --deploy-config-file",
                "deployment_target --ct --compute-target",
                "model_file -f --model-metadata-file",
            ),
            **_TEXTS,
            **INFERENCE,
            **_SIZES,
        },
    ),
    ("service", "update"): (
        "Service.update",
        {
            **_table(
                "name -n --name",
                "models -m --model",
                "inference_config --ic --inference-config-file",
            ),
            **_TEXTS,
            **INFERENCE,
            **_SIZES,
        },
    ),
    ("service", "delete"): (
        "delete",
        {
            **_table(
                "name -n --name",
            )
        },
    ),
    ("model", "delete"): ("delete", {}),
    ("computetarget", "delete"): (
        "delete",
        {
            **_table(
                "name -n --name",
            )
        },
    ),
    ("computetarget", "detach"): (
        "detach",
        {
            **_table(
                "name -n --name",
            )
        },
    ),
    ("computetarget", "create", "aks"): (
        "AksCompute.provisioning_configuration",
        {
            **_table(
                "name -n --name",
                "agent_count -a --agent-count",
                "vm_size -s --vm-size",
                "location -l --location",
                "cluster_purpose --cluster-purpose",
                "ssl_cname --ssl-cname",
                "ssl_cert_pem_file --ssl-cert-file",
                "ssl_key_pem_file --ssl-key-file",
            )
        },
    ),
    ("computetarget", "create", "amlcompute"): (
        "AmlCompute.provisioning_configuration",
        {
            **_table(
                "name -n --name",
                "vm_size -s --vm-size",
                "min_nodes --min-nodes",
                "max_nodes --max-nodes",
                "vm_priority -p --vm-priority",
                "idle_seconds_before_scaledown --idle-seconds-before-scaledown",
            )
        },
    ),
    ("computetarget", "attach", "aks"): (
        "AksCompute.attach_configuration",
        {
            **_table(
                "name -n --name",
                "resource_id -i --compute-resource-id",
            )
        },
    ),
    ("model", "package"): ("Model.package", {}),
    ("model", "profile"): ("Model.profile", {}),
}
"""Commands by their words: the call that each is, and its options' parameters."""
