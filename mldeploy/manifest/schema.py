"""The manifest's JSON Schema, for editors."""

from __future__ import annotations

from typing import Any

from mldeploy.manifest.document import Manifest


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one manifest file."""
    return Manifest.model_json_schema()
