"""Docker create options of a scoring module, from the manifest's own terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal, cast

from mldeploy.edge.twin import compact

PORT = 5001
"""The scoring server's port inside the container; v1's images used the same."""
KEYS_FOLDER = "/run/mldeploy/keys"
CERT_FOLDER = "/run/mldeploy/cert"
KEY_FOLDER = "/run/mldeploy/cert-key"
_GIB = 1024**3
_LOWEST_MEMORY = 6 * 1024**2  # what the Docker engine takes at least
_LOG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder of the device, seen read-only inside the module unless ``writable``."""

    source: str
    """An absolute path on the device."""
    target: str
    """An absolute path in the container."""
    writable: bool = False


@dataclass(frozen=True, kw_only=True)
class ScoringOptions:
    """How one scoring module runs on a device."""

    port: int | None = None
    """The device's TCP port for requests from outside the module network; None: modules on the device only.
    """
    bind_address: str = ""
    """The device's address that ``port`` listens on; empty: all of them."""
    cpu_cores: float | None = None
    """At most so many cores."""
    memory_gb: float | None = None
    """At most so much memory, in GiB."""
    gpu: int | Literal["all"] | None = None
    """So many NVIDIA GPUs, or all of them; the device needs the NVIDIA container toolkit."""
    auth_enabled: bool = False
    """Whether requests need a key; the keys are in ``keys_file``."""
    keys_file: str | None = None
    """A JSON file on the device, `{"primary": …, "secondary": …}`; its folder is mounted, so that it can be
    replaced."""
    cert_file: str | None = None
    """A PEM certificate chain on the device."""
    key_file: str | None = None
    """Its PEM private key, on the device."""
    mounts: tuple[Mount, ...] = ()
    """More folders of the device, such as one for collected data."""
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Anything else in Docker's own words; wins over what is made here, key by key."""


def create_options(options: ScoringOptions) -> dict[str, Any]:
    """The body of Docker's `POST /containers/create` that the IoT Edge agent completes with image and
    environment.

    The container has no capabilities, cannot gain privileges, and writes to `/tmp` only.

    Raises:
        ValueError: a path, port or limit that a device would refuse; the message says what is allowed.
    """
    _check(options)
    host: dict[str, Any] = {
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": True,
        "Tmpfs": {"/tmp": "rw,noexec,nosuid,size=64m"},  # noqa: S108
        "LogConfig": _LOG,
    }
    if options.port is not None:
        binding = {"HostPort": str(options.port)}
        if options.bind_address:
            binding["HostIp"] = options.bind_address
        host["PortBindings"] = {f"{PORT}/tcp": [binding]}
    if options.cpu_cores is not None:
        host["NanoCpus"] = round(options.cpu_cores * 1_000_000_000)
    if options.memory_gb is not None:
        host["Memory"] = round(options.memory_gb * _GIB)
    if options.gpu is not None:
        count = -1 if options.gpu == "all" else options.gpu
        host["DeviceRequests"] = [{"Driver": "nvidia", "Count": count, "Capabilities": [["gpu"]]}]
    if binds := _binds(options):
        host["Binds"] = binds
    made: dict[str, Any] = {"ExposedPorts": {f"{PORT}/tcp": {}}, "HostConfig": host}
    return merge(made, options.extra)


def environment(options: ScoringOptions) -> dict[str, str]:
    """Environment variables that tell the scoring server what :func:`create_options` mounted and bound."""
    found = {
        "SERVING_HOST": "0.0.0.0",
        "SERVING_PORT": str(PORT),
        "SERVING_AUTH_ENABLED": "true" if options.auth_enabled else "false",
    }
    if options.keys_file:
        found["SERVING_KEYS_FILE"] = f"{KEYS_FOLDER}/{PurePosixPath(options.keys_file).name}"
    if options.cert_file and options.key_file:
        files = {
            "cert_file": f"{CERT_FOLDER}/{PurePosixPath(options.cert_file).name}",
            "key_file": f"{KEY_FOLDER}/{PurePosixPath(options.key_file).name}",
        }
        found["SERVING_SSL"] = compact(files)
    return found


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid over ``base``, object by object; a null removes."""
    found: dict[str, Any] = dict(base)
    for key, value in over.items():
        old = found.get(key)
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(old, Mapping):
            found[key] = merge(cast("Mapping[str, Any]", old), cast("Mapping[str, Any]", value))
        else:
            found[key] = value
    return found


def _binds(options: ScoringOptions) -> list[str]:
    # Folders, not files: a file that is replaced by renaming stays the old one inside a mounted file.
    files = [
        Mount(source=str(PurePosixPath(path).parent), target=target)
        for path, target in (
            (options.keys_file, KEYS_FOLDER),
            (options.cert_file, CERT_FOLDER),
            (options.key_file, KEY_FOLDER),
        )
        if path
    ]
    return [f"{m.source}:{m.target}:{'rw' if m.writable else 'ro'}" for m in (*files, *options.mounts)]


def _check(options: ScoringOptions) -> None:
    if options.port is not None and not 1 <= options.port <= 65535:
        raise ValueError(f"port is {options.port}; allowed: 1 to 65535")
    if options.cpu_cores is not None and not options.cpu_cores >= 0.01:
        raise ValueError(f"cpu_cores is {options.cpu_cores}; allowed: 0.01 or more")
    if options.memory_gb is not None and not options.memory_gb * _GIB >= _LOWEST_MEMORY:
        raise ValueError(f"memory_gb is {options.memory_gb}; allowed: 0.006 or more")
    if isinstance(options.gpu, int) and options.gpu < 1:
        raise ValueError(f"gpu is {options.gpu}; allowed: 1 or more, or all")
    if options.auth_enabled and not options.keys_file:
        raise ValueError(
            "auth_enabled needs keys_file, the path of the keys on the device: keys in a deployment could be "
            "read by everybody who can read the hub's twins"
        )
    if bool(options.cert_file) != bool(options.key_file):
        raise ValueError("cert_file and key_file go together")
    paths = [
        ("keys_file", options.keys_file),
        ("cert_file", options.cert_file),
        ("key_file", options.key_file),
    ]
    for mount in options.mounts:
        paths += [("mount source", mount.source), ("mount target", mount.target)]
    for what, path in paths:
        if path is not None and (
            not path.startswith("/") or ":" in path or ".." in PurePosixPath(path).parts
        ):
            raise ValueError(f"{what} {path!r} must be an absolute path on the device without '..' and ':'")
