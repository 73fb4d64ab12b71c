"""Physical names: pure functions, each with its service's rules and a hash suffix where names are shared.

Every function is deterministic: the same project, stack and entry give the same name on every machine. The limits are
those of the Azure naming reference ("Naming rules and restrictions for Azure resources") and of RFC 1123 labels.
"""

from __future__ import annotations

import hashlib
import re

_HASH_CHARS = 6


def short_hash(*parts: str, length: int = _HASH_CHARS) -> str:
    """The first ``length`` hexadecimal digits of SHA-256 over the parts, which are kept apart by NUL."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:length]


def _fit(slug: str, limit: int, *identity: str, separator: str = "-") -> str:
    """``slug`` when it fits, else its beginning with a hash of the whole identity."""
    if len(slug) <= limit:
        return slug
    suffix = short_hash(*identity)
    return f"{slug[: limit - len(suffix) - len(separator)].rstrip('-_')}{separator}{suffix}"


def dns_label(*parts: str, limit: int = 63) -> str:
    """A lowercase RFC 1123 label: letters, digits and inner hyphens, at most ``limit`` characters."""
    slug = re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-") or "x"
    return _fit(slug, limit, *parts)


def alphanumeric(*parts: str, scope: str, limit: int) -> str:
    """Lowercase letters and digits only, always ending in a hash: for names that are global on Azure.

    ``scope`` is in the hash only: these names are public, and a subscription's id need not be.
    """
    slug = re.sub(r"[^a-z0-9]", "", "".join(parts).lower())
    suffix = short_hash(*parts, scope)
    return slug[: limit - len(suffix)] + suffix


def storage_account(project: str, stack: str, scope: str) -> str:
    """A storage account: 3-24 lowercase letters and digits, global. ``scope`` tells subscriptions apart."""
    return alphanumeric("st", project, stack, scope=scope, limit=24)


def container_registry(project: str, stack: str, scope: str) -> str:
    """A container registry: 5-50 letters and digits, global."""
    return alphanumeric("cr", project, stack, scope=scope, limit=50)


def key_vault(project: str, stack: str, scope: str) -> str:
    """A key vault: 3-24 letters, digits and hyphens, starting with a letter, global."""
    return f"kv-{dns_label(project, stack, limit=14)}-{short_hash(project, stack, scope)}"


def workspace(project: str, stack: str, scope: str) -> str:
    """An Azure ML workspace: 3-33 letters, digits, hyphens and underscores."""
    return f"mlw-{dns_label(project, stack, limit=22)}-{short_hash(project, stack, scope)}"


def namespace(project: str, stack: str, target: str) -> str:
    """The Kubernetes namespace of a target that names none.

    Two targets never share it, so that what is removed with one of them, or with its old name, is not the other's.
    """
    return dns_label(project, stack, target, limit=63)


def resource_group(project: str, stack: str) -> str:
    """A resource group: 1-90 characters."""
    return dns_label("rg", project, stack, limit=90)
