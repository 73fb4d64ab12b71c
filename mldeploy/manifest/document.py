"""The manifest as a whole, and what the composition of a stack asks it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SerializeAsAny

from mldeploy.manifest.azure import Azure
from mldeploy.manifest.base import Section
from mldeploy.manifest.image import Image
from mldeploy.manifest.model import Model
from mldeploy.manifest.service import Service
from mldeploy.manifest.target import Target


class Manifest(Section):
    """What to deploy: models, the images that run them, the targets they run on, and services."""

    version: Literal[1]
    """The version of the manifest's format."""
    azure: Azure = Azure.model_construct()
    """What the Azure services of the stack share."""
    models: dict[str, Model] = Field(default_factory=dict)
    """Models to register, by name."""
    images: dict[str, Image] = Field(default_factory=dict)
    """Scoring images, by name. v1: `InferenceConfig`."""
    targets: dict[str, SerializeAsAny[Target]] = Field(default_factory=dict)
    """Where services run, by name."""
    services: dict[str, Service] = Field(default_factory=dict)
    """What clients call, by name."""

    def target_of(self, service: str) -> Target:
        """The target that the service called ``service`` runs on."""
        return self.targets[self.services[service].target]

    def image_of(self, service: str) -> Image:
        """The image that the service called ``service`` runs."""
        return self.images[self.services[service].image]

    def models_of(self, service: str) -> dict[str, Model]:
        """The models in the image of the service called ``service``, by name, in the image's order."""
        return {name: self.models[name] for name in self.image_of(service).models}

    def services_of(self, target_type: str) -> dict[str, Service]:
        """The services on targets of one type, by name."""
        return {
            name: one for name, one in self.services.items() if self.targets[one.target].type == target_type
        }

    def services_on(self, target: str) -> dict[str, Service]:
        """The services on the target called ``target``, by name."""
        return {name: one for name, one in self.services.items() if one.target == target}

    def targets_of(self, target_type: str) -> dict[str, Target]:
        """The targets of one type, by name."""
        return {name: one for name, one in self.targets.items() if one.type == target_type}

    def images_on(self, *target_types: str) -> dict[str, Image]:
        """The images that some service on targets of these types runs, by name."""
        used = {one.image for one in self.services.values() if self.targets[one.target].type in target_types}
        return {name: image for name, image in self.images.items() if name in used}
