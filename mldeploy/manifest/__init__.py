"""The manifest: what to deploy, as plain data. Knows nothing of Pulumi."""

from mldeploy.manifest.azure import Azure
from mldeploy.manifest.document import Manifest
from mldeploy.manifest.errors import ManifestError, ManifestErrors
from mldeploy.manifest.foundation import makes_foundation
from mldeploy.manifest.image import Image, Registry
from mldeploy.manifest.loading import load, load_with_notes, manifest_files, secret_places
from mldeploy.manifest.model import Model
from mldeploy.manifest.rollout import Rollout
from mldeploy.manifest.schema import schema
from mldeploy.manifest.secret_refs import ConfigRef, EnvRef, KeyVaultRef, SecretRef, written_secrets
from mldeploy.manifest.service import Service, Ssl
from mldeploy.manifest.target import Target

__all__ = [
    "Azure",
    "ConfigRef",
    "EnvRef",
    "Image",
    "KeyVaultRef",
    "Manifest",
    "ManifestError",
    "ManifestErrors",
    "Model",
    "Registry",
    "Rollout",
    "SecretRef",
    "Service",
    "Ssl",
    "Target",
    "load",
    "load_with_notes",
    "makes_foundation",
    "manifest_files",
    "schema",
    "secret_places",
    "written_secrets",
]
