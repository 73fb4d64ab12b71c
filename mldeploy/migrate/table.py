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

from mldeploy.migrate import rows_models, rows_services
from mldeploy.migrate.findings import Outcome


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


_OWNERS: Final = {
    "InferenceConfig": rows_models.INFERENCE,
    "ContainerRegistry": rows_models.REGISTRY,
    "Environment": rows_models.ENVIRONMENT,
    "Model.register": rows_models.REGISTER,
    "Run.register_model": rows_models.RUN_REGISTER,
    "Model": rows_models.MODEL,
    "Model.deploy": rows_services.DEPLOY,
    "LocalWebservice": rows_services.LOCAL,
    "AciWebservice": rows_services.ACI,
    "AksWebservice": rows_services.AKS,
    "AksEndpoint": rows_services.AKS_ENDPOINT,
    "ComputeTarget.create": rows_services.COMPUTE,
    "AksCompute.provisioning_configuration": rows_services.PROVISION,
    "AksCompute.attach_configuration": rows_services.ATTACH,
    "AksCompute.enable_ssl": rows_services.ENABLE_SSL,
    "AmlCompute.provisioning_configuration": rows_services.AMLCOMPUTE,
    "ParallelRunConfig": rows_services.PARALLEL,
    "ContainerImage.image_configuration": rows_models.CONTAINER_IMAGE,
    "Image.create": rows_models.OLD_IMAGE,
    "Model.package": rows_models.PACKAGE,
    "ParallelRunStep": rows_services.STEP,
    "CondaDependencies.create": rows_models.CONDA,
    "ResourceConfiguration": rows_services.SIZE,
    "mlflow.azureml.deploy": rows_services.MLFLOW,
    "deploymentconfig.json": (rows_services.COMPUTE_TYPE,),
    "az ml model deploy": rows_services.CLI,
    "calls": rows_services.CALLS,
}
FIELDS: Final = tuple(Field(owner, *row) for owner, rows in _OWNERS.items() for row in rows)
"""All rows, in the order of the documentation."""


_ALSO: Final = {
    "AksEndpoint": "AksWebservice",
    "CondaDependencies": "CondaDependencies.create",
    "ComputeTarget.attach": "ComputeTarget.create",
    "mlflow.azureml.build_image": "mlflow.azureml.deploy",
    "mlflow.create_deployment": "mlflow.azureml.deploy",
    "AksEndpoint.create_version": "AksEndpoint",
}
"""Owners whose other rows are another's."""


@lru_cache(maxsize=1)
def _index() -> dict[tuple[str, str], Field]:
    return {(field.owner, field.name): field for field in FIELDS}


def by_name(owner: str, name: str) -> Field | None:
    """The row of a field; some owners have those of another, too."""
    found = _index().get((owner, name))
    if found is None and owner in _ALSO:
        return _index().get((_ALSO[owner], name))
    return found


def names(owner: str) -> list[str]:
    """The parameters of a v1 function in the order of its signature, as far as the table keeps it."""
    return [field.name for field in FIELDS if field.owner == owner]


def json_fields(owner: str) -> Iterator[Field]:
    """The fields of an owner that have a key in a JSON file."""
    owners = ("AksWebservice", "AksEndpoint") if owner == "AksEndpoint" else (owner,)
    return (field for field in FIELDS if field.owner in owners and field.json)
