"""Names of environment variables that a service's own would break: the server, the provider and images set them."""

from __future__ import annotations

_REASONS = {
    "PATH": "names the environment's programs",
    "PYTHONPATH": "leads to the scoring server",
    "PYTHONHOME": "would take another Python's library",
    "PYTHONUNBUFFERED": "makes logs appear at once",
    "AZUREML_MODEL_DIR": "is where the models are",
}
_PREFIXES = {"SERVING_": "is a setting of the scoring server", "PULUMI_": "is a setting of Pulumi"}


def reserved(name: str) -> str | None:
    """Why a service cannot have a variable of this name; None when it can. Case does not count, as on Windows."""
    upper = name.upper()
    reason = _REASONS.get(upper)
    if reason is None:
        reason = next((text for prefix, text in _PREFIXES.items() if upper.startswith(prefix)), None)
    return None if reason is None else f"is set for every service ({upper} {reason}); choose another name"
