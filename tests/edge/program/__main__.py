"""A program with one EdgeModule, as wanted.json says."""

import json
from pathlib import Path

import pulumi

from components.targets.edge.module import EdgeModule, EdgeModuleArgs, ScoringModule
from mldeploy.edge import ScoringOptions

wanted = json.loads(Path("wanted.json").read_text())
edge = EdgeModule(
    "devices",
    EdgeModuleArgs(
        deployment_name="acme-prod-devices",
        hub=wanted["hub"],
        connection_string=pulumi.Output.secret(wanted["connection_string"]),
        modules={"diabetes": ScoringModule(image=wanted["image"], options=ScoringOptions(port=8890))},
        target_condition="tags.site='plant-7'",
        priority=10,
        labels=wanted.get("labels", {}),
        registry_credentials={
            "acr": {
                "address": "cr.example.azurecr.io",
                "username": "puller",
                "password": pulumi.Output.secret("registry-p4ssw0rd"),
            }
        },
        wait=wanted.get("wait"),
    ),
    pulumi.ResourceOptions(protect=wanted.get("protect", False)),
)
pulumi.export("deployment", edge.deployment_id)
