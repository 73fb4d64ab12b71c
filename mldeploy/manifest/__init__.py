"""The manifest: what to deploy, as plain data. Knows nothing of Pulumi."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mldeploy.manifest.azure import Azure
    from mldeploy.manifest.document import Manifest
    from mldeploy.manifest.errors import ManifestError, ManifestErrors
    from mldeploy.manifest.foundation import makes_foundation
    from mldeploy.manifest.image import Image, Registry
    from mldeploy.manifest.json_schema import schema
    from mldeploy.manifest.loading import load, load_with_notes, secret_places
    from mldeploy.manifest.model import Model
    from mldeploy.manifest.reading import manifest_files
    from mldeploy.manifest.rollout import Rollout
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

_HOMES = {
    "Azure": "azure",
    "ConfigRef": "secret_refs",
    "EnvRef": "secret_refs",
    "Image": "image",
    "KeyVaultRef": "secret_refs",
    "Manifest": "document",
    "ManifestError": "errors",
    "ManifestErrors": "errors",
    "Model": "model",
    "Registry": "image",
    "Rollout": "rollout",
    "SecretRef": "secret_refs",
    "Service": "service",
    "Ssl": "service",
    "Target": "target",
    "load": "loading",
    "load_with_notes": "loading",
    "makes_foundation": "foundation",
    "manifest_files": "reading",
    "schema": "json_schema",
    "secret_places": "loading",
    "written_secrets": "secret_refs",
}


def __getattr__(name: str) -> Any:
    # Models and rules load pydantic and what reads conda files: only who checks a manifest pays.
    if name not in _HOMES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"mldeploy.manifest.{_HOMES[name]}"), name)
