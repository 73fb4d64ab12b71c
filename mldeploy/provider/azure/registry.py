"""Asking a container registry for a manifest, by the OCI distribution API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import httpx

from mldeploy.provider.azure.registry_login import DOCKER_HUB, TIMEOUT, Login, authorization, scheme
from mldeploy.provider.framework.resource import ProvisionError

_ACCEPT: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404


@dataclass(frozen=True)
class Reference:
    """An image's name, taken apart as Docker does it."""

    server: str
    """The registry that is asked, with its port."""
    repository: str
    tag: str
    """A tag, or ``sha256:…``."""

    @property
    def pinned(self) -> bool:
        """Whether it always means the same image."""
        return self.tag.startswith("sha256:")

    @classmethod
    def parse(cls, text: str) -> Reference:
        """``python:3.12`` is ``library/python`` of Docker Hub; without a tag it is ``latest``."""
        name, _, digest = text.partition("@")
        first, slash, rest = name.partition("/")
        if not slash or not ("." in first or ":" in first or first == "localhost"):
            first, rest = "docker.io", name
        repository, colon, tag = rest.rpartition(":")
        if not colon:
            repository, tag = rest, "latest"
        if first in ("docker.io", "index.docker.io"):
            first = DOCKER_HUB
            repository = repository if "/" in repository else f"library/{repository}"
        return cls(first, repository, digest or tag)


def find_manifest(server: str, repository: str, reference: str, login: Login | None = None) -> str | None:
    """The digest of a tag (or of itself), or ``None`` when the registry does not have it.

    Args:
        server: the registry's host and port.
        repository: the repository's name.
        reference: a tag, or ``sha256:…``.
        login: who asks. Default: whom Docker's configuration names, on Azure else the identity that runs this.

    Raises:
        ProvisionError: the registry cannot be reached, or refuses to answer.
    """
    url = f"{scheme(server)}://{server}/v2/{repository}/manifests/{reference}"
    headers = {"Accept": _ACCEPT}
    try:
        answer = httpx.head(url, headers=headers, timeout=TIMEOUT, follow_redirects=True)
        if answer.status_code == _UNAUTHORIZED:
            challenge = answer.headers.get("WWW-Authenticate", "")
            headers["Authorization"] = authorization(server, repository, challenge, login)
            answer = httpx.head(url, headers=headers, timeout=TIMEOUT, follow_redirects=True)
    except httpx.HTTPError as error:
        raise ProvisionError(
            f"registry {server} cannot be asked for {repository}:{reference}: {error}"
        ) from None
    if answer.status_code == _NOT_FOUND:
        return None
    if answer.is_error:
        raise ProvisionError(
            f"registry {server} answered {answer.status_code} for {repository}:{reference}; "
            "`docker login` to it, or on Azure take the role AcrPull"
        )
    return answer.headers.get("Docker-Content-Digest", reference)
