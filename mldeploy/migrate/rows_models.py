# ruff: noqa: E501 - a row of the table is a line
"""v1's fields of models and images, and what becomes of each."""

from __future__ import annotations

from typing import Final

from mldeploy.migrate.findings import CHANGED, DECIDE, DROPPED, MAPPED

BY_REFERENCE = "a manifest names secrets and never holds one; set it with `mldeploy config set --secret KEY`"
SUBNET = "v1 named a network and a subnet; the manifest takes the subnet's resource id"
WORKSPACE = "the workspace is the stack's: `azure: {workspace: {existing: <resource id>}}`, or a new one"
SERVICE_TLS = "TLS belongs to the services: `services.*.ssl`"
PROBE = "services.*.probes"

INFERENCE: Final = (
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
ENVIRONMENT: Final = (
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
REGISTRY: Final = (
    ("address", MAPPED, "images.*.base_image_registry.address", "", "address"),
    ("username", MAPPED, "images.*.base_image_registry.username", "", "username"),
    ("password", CHANGED, "images.*.base_image_registry.password", BY_REFERENCE, "password"),
    ("registry_identity", DROPPED, "", "images are pulled with the stack's managed identity", "registryIdentity"),
)  # fmt: skip
REGISTER: Final = (
    ("workspace", DROPPED, "", WORKSPACE, ""),
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
RUN_REGISTER: Final = tuple(
    ("model_path", CHANGED, "models.*.source", "an output of the run: `azureml://jobs/<run id>/outputs/artifacts/<path>`", "") if row[0] == "model_path" else row
    for row in REGISTER if row[0] not in ("workspace", "child_paths")
)  # fmt: skip
MODEL: Final = (
    ("workspace", DROPPED, "", WORKSPACE, ""),
    ("name", DECIDE, "models.*.source", "a model that is registered already: download its files and name them", ""),
    ("id", DECIDE, "models.*.source", "a model that is registered already: download its files and name them", ""),
    ("version", DROPPED, "", "here the version follows from the content, so that v1's number means nothing; the files decide", ""),
    ("tags", DROPPED, "", "a filter of v1's registry", ""),
    ("properties", DROPPED, "", "a filter of v1's registry", ""),
    ("run_id", DROPPED, "", "a filter of v1's registry", ""),
    ("model_framework", DROPPED, "", "a filter of v1's registry", ""),
    ("expand", DROPPED, "", "a detail of v1's client", ""),
)  # fmt: skip
CONTAINER_IMAGE: Final = (
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
OLD_IMAGE: Final = (
    ("name", MAPPED, "images.*", "", ""),
    ("models", MAPPED, "images.*.models", "", ""),
    ("image_config", MAPPED, "images.*", "see ContainerImage.image_configuration", ""),
    ("workspace", DROPPED, "", WORKSPACE, ""),
)  # fmt: skip
PACKAGE: Final = (
    ("workspace", DROPPED, "", WORKSPACE, ""),
    ("models", MAPPED, "images.*.models", "", ""),
    ("inference_config", MAPPED, "images.*", "", ""),
    ("generate_dockerfile", DROPPED, "", "`up` builds the image of every service", ""),
    ("image_name", MAPPED, "images.*", "", ""),
    ("image_label", DROPPED, "", "an image's tag is the digest of its content", ""),
)  # fmt: skip
CONDA: Final = (
    ("conda_dependencies_file_path", MAPPED, "images.*.conda_file", "", ""),
    ("pip_packages", MAPPED, "images.*.conda_file", "", ""),
    ("conda_packages", MAPPED, "images.*.conda_file", "", ""),
    ("channels", DROPPED, "", "packages come as wheels", ""),
    ("python_version", MAPPED, "images.*.conda_file", "", ""),
    ("pin_sdk_version", DROPPED, "", "nothing of v1's SDK is installed", ""),
    ("pip_indexurl", CHANGED, "images.*.package_index", "an index of your own is a key of the image", ""),
)  # fmt: skip
