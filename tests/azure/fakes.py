"""What our own provider would ask of others than Resource Manager and blobs, answered here, in any process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mldeploy.engine.plugins.transport import PluginTransport
from mldeploy.provider.azure import image_presence
from mldeploy.provider.azure.registry_login import DOCKER_HUB
from mldeploy.provider.catalog import RESOURCES
from mldeploy.provider.framework import waiting
from mldeploy.provider.framework.resource import Context, Live
from mldeploy.provider.kubernetes import access, drain, rollout
from mldeploy.provider.kubernetes.client import ClusterError
from tests.azure.standin.world import World

BASE_DIGEST = f"sha256:{'b' * 64}"
# A file of this name in the fake cloud's folder: somebody deleted all images.
IMAGES_GONE = "images-gone"
# They need no cluster, or are given one.
_REAL = (access.ClusterAccess, drain.PoolDrain)
# Whose images services stand on.
_BASES = (DOCKER_HUB, "mcr.microsoft.com")
_OUTPUTS = ("passed", "seconds", "revision", "pods", "uri", "address")
Put = Callable[[Any, str, Any], None]


def time(put: Put, world: World) -> None:
    """Whoever waits in our provider or in Microsoft's client waits on the world's clock."""
    from azure.core.pipeline.transport import HttpTransport

    def pause(ctx: Context, seconds: float) -> None:
        ctx.check_cancelled()
        world.sleep(seconds)

    put(waiting, "now", world.now)
    put(waiting, "pause", pause)
    put(HttpTransport, "sleep", lambda self, seconds: world.sleep(seconds))
    call_here = PluginTransport._call_here

    def working(transport: PluginTransport, method: str, request: Any) -> Any:
        with world.nature.clock.working():
            return call_here(transport, method, request)

    put(PluginTransport, "_call_here", working)


def registry(put: Put, folder: Path) -> None:
    """Every registry has what is asked for. ``put`` sets an attribute, as setattr does."""

    def find_manifest(server: str, repository: str, reference: str, login: Any = None) -> str | None:
        if server in _BASES:
            return BASE_DIGEST
        return None if (folder / IMAGES_GONE).exists() else reference

    put(image_presence, "find_manifest", find_manifest)


def _no_cluster(kubeconfig: str) -> Any:
    raise ClusterError("there is no cluster here")


def clusters(put: Put) -> None:
    """Our provider's Kubernetes resources succeed without a cluster."""
    put(rollout, "_drift", lambda *_: [])
    put(access, "_allowed", lambda kubeconfig: None)
    put(drain, "cluster", _no_cluster)
    for resource in RESOURCES.values():
        if "kubernetes" in type(resource).__module__ and not isinstance(resource, _REAL):
            put(resource, "create", lambda ctx, inputs: (ctx.name, dict.fromkeys(_OUTPUTS, 0)))
            put(resource, "update", lambda ctx, change: dict.fromkeys(_OUTPUTS, 0))
            put(resource, "read", lambda ctx, ident, state, inputs: Live())
            put(resource, "delete", lambda ctx, ident, state: None)
