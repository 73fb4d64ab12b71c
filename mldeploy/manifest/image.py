"""`images:`, what runs a model. v1 called it `InferenceConfig`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from mldeploy.manifest.base import Items, LooseText, Pattern, Section, Text, fail
from mldeploy.manifest.markers import CONTAINER, On
from mldeploy.manifest.secret_refs import Secret, TextOrSecret

_CONTAINERS = On(
    CONTAINER,
    unused={"local": "a process runs on this machine's own system; with runtime: docker the key is used"},
)
RegistryAddress = Annotated[
    Text,
    Pattern(
        r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?",
        "a registry's host name without https://, such as myregistry.azurecr.io",
    ),
]


def _python(value: Any) -> Any:
    if value == "spark-py":
        raise fail("spark-py is not supported: there is no Spark in any target; allowed: python")
    return value


class Registry(Section):
    """A container registry and how to log in. v1: `base_image_registry`."""

    address: RegistryAddress
    """Its host name, `myregistry.azurecr.io`."""
    username: Text | None = None
    """Who logs in. Default: nobody, or on Azure the managed identity."""
    password: Secret | None = None
    """The password, by reference."""


class PackageIndex(Section):
    """A private Python package index that the image's packages come from."""

    url: Annotated[Text, Pattern(r"https?://[^\s@]+", "an http(s) URL without a user name or password")]
    """The index, `https://pkgs.dev.azure.com/org/_packaging/feed/pypi/simple/`."""
    username: Text | None = None
    """Who logs in."""
    password: Secret | None = None
    """The password or token, by reference; a secret of the build that never stays in the image."""


class Image(Section):
    """A scoring image: models, entry script, packages, base image. v1: `InferenceConfig`."""

    models: Items[Text]
    """The names of the models in it; the order does not matter."""
    source_directory: Text = ""
    """The folder with the entry script and what it imports, relative to the project. Default: the script is written for
    the one model of the image."""
    entry_script: Text = ""
    """The script with `init()` and `run()`, relative to `source_directory`. Default: as there."""
    conda_file: Text | None = None
    """The conda environment file, relative to `source_directory` (without one, to the project). Default: no packages of
    its own; without an entry script the model's, in the versions that it was made with."""
    runtime: Annotated[
        Literal["python", "sklearn", "onnx", "mlflow", "xgboost", "lightgbm", "catboost"],
        BeforeValidator(_python),
    ] = "python"
    """What runs: a script in Python, as in v1, whose `spark-py` has no place to run any more; or, without an entry
    script, the kind of the model. Default: what the model's files say."""
    base_image: Annotated[Text | None, _CONTAINERS] = Field(
        default=None, examples=["mcr.microsoft.com/azureml/minimal-py312-inference", "runs:/0123456789abcdef"]
    )
    """The image to build on, `registry/name:tag`, or `runs:/<run id>` for the one of a training run
    (`AzureML.DerivedImageName`). Default: a small Python image."""
    base_image_registry: Annotated[Registry | None, _CONTAINERS] = None
    """The private registry that the base image comes from."""
    environment_variables: dict[str, TextOrSecret] = Field(default_factory=dict)
    """Environment variables of the entry script: texts, or secret references."""
    not_secret: Items[Text] = ()
    """Environment variables whose names look like those of secrets, and which are none: their values may stand here."""
    package_index: Annotated[
        PackageIndex | None,
        On(CONTAINER, instead="for a local process set UV_INDEX_URL, or write runtime: docker on the target"),
    ] = None
    """A private index for the packages of the conda file."""
    platform: Annotated[
        Literal["linux/amd64", "linux/arm64"],
        On(
            "aci",
            "aks",
            "kubernetes",
            "batch",
            "edge",
            unused={"local": "this machine runs what is built for it"},
        ),
    ] = "linux/amd64"
    """The platform it is built for; `linux/arm64` for many IoT Edge devices."""
    description: LooseText | None = None
    """What it is, for people."""
