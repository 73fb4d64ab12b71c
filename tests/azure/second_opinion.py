"""In an environment of its own: what Microsoft's azure-ai-ml would send for the inputs of `programs`. Prints JSON."""

import json
import logging
import sys

logging.disable(logging.CRITICAL)

from azure.ai.ml.constants import BatchDeploymentOutputAction  # noqa: E402
from azure.ai.ml.entities import (  # noqa: E402
    AmlCompute,
    AzureBlobDatastore,
    BatchEndpoint,
    BatchRetrySettings,
    CodeConfiguration,
    Environment,
    IdentityConfiguration,
    ManagedIdentityConfiguration,
    Model,
    ModelBatchDeployment,
    ModelBatchDeploymentSettings,
    NoneCredentialConfiguration,
)


def bodies(given):
    """The REST bodies, for the names and ids that the components were given."""
    identity = IdentityConfiguration(
        type="user_assigned",
        user_assigned_identities=[ManagedIdentityConfiguration(resource_id=given["identity"])],
    )
    deployment = ModelBatchDeployment(
        name="d",
        endpoint_name="diabetes-dev",
        model=given["model"],
        environment=given["environment"],
        code_configuration=CodeConfiguration(code=given["code"], scoring_script="batch_adapter.py"),
        compute=given["compute"],
        tags=given["tags"],
        settings=ModelBatchDeploymentSettings(
            mini_batch_size=10,
            instance_count=1,
            max_concurrency_per_instance=1,
            output_action=BatchDeploymentOutputAction.APPEND_ROW,
            output_file_name="predictions.csv",
            retry_settings=BatchRetrySettings(max_retries=3, timeout=300),
            environment_variables=given["variables"],
            error_threshold=-1,
            logging_level="info",
        ),
    )
    compute = AmlCompute(
        name="nightly",
        location="westeurope",
        size="Standard_DS3_v2",
        min_instances=0,
        max_instances=4,
        idle_time_before_scale_down=300,
        tier="dedicated",
        ssh_public_access_enabled=False,
        enable_node_public_ip=True,
        tags=given["tags"],
        identity=identity,
    )
    model = Model(
        name="diabetes",
        version="1",
        path=given["uri"],
        type="custom_model",
        description="Ridge regression",
        tags={"stage": "approved"},
        properties=given["properties"],
    )
    datastore = AzureBlobDatastore(
        name="mldeploy",
        account_name=given["account"],
        container_name="models",
        description="Models registered by mldeploy",
        credentials=NoneCredentialConfiguration(),
    )
    endpoint = BatchEndpoint(name="diabetes-dev", location="westeurope", tags=given["tags"])
    return {
        "Compute": compute._to_rest_object(),
        "ModelVersion": model._to_rest_object(),
        "EnvironmentVersion": Environment(name="e", version="1", image=given["image"])._to_rest_object(),
        "BatchEndpoint": endpoint._to_rest_batch_endpoint(location="westeurope"),
        "BatchDeployment": deployment._to_rest_object(location="westeurope"),
        "Datastore": datastore._to_rest_object(),
    }


def _plain(value):
    return value.serialize() if hasattr(value, "serialize") else value.as_dict()


if __name__ == "__main__":
    found = bodies(json.load(sys.stdin))
    print(json.dumps({name: _plain(body) for name, body in found.items()}))
