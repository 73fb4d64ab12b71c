"""`models:`, what is registered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from mldeploy.manifest.base import Labels, LooseText, Pattern, Section, Text

Version = Annotated[
    Text,
    Pattern(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,253}[A-Za-z0-9_-])?", "letters, digits, '.', '-' and '_'"),
    WithJsonSchema({"type": ["string", "integer"], "minLength": 1}),
]


class Model(Section):
    """A model to register. v1: `Model.register`."""

    source: Text = Field(
        examples=[
            "models/diabetes/model.pkl",
            "runs:/0123456789abcdef/outputs/model.pkl",
            "models:/churn@champion",
        ]
    )
    """Its file or folder: a path relative to the project, `runs:/<run id>/<path>` of an MLflow run,
    `models:/<name>/<version>` or `models:/<name>@<alias>` of its registry, or `azureml://jobs/<job>/outputs/<path>` of
    an Azure ML job."""
    version: Version | None = None
    """Pins the version, which then never changes its content. Default: it follows from the content."""
    description: LooseText | None = None
    """What it is, for people."""
    tags: Labels = Field(default_factory=dict)
    """Tags; they can be changed later."""
    properties: Labels = Field(default_factory=dict)
    """Properties; Azure ML never changes them once a version is registered."""
    model_type: Literal["custom_model", "mlflow_model", "triton_model"] = "custom_model"
    """How Azure ML treats it."""
    model_framework: Text | None = None
    """The framework it was made with, `ScikitLearn`, `Onnx`, as v1 recorded it."""
    model_framework_version: Text | None = None
    """The framework's version."""
