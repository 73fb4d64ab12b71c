"""`mldeploy doctor`: what this machine and project have, what is missing, and how to fix each finding."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from mldeploy.manifest import ManifestErrors, load
from mldeploy.session import LOCAL_STACK, Session, UsageError

Level = Literal["ok", "note", "problem"]
_SECONDS = 10
_AZURE = ("aci", "aks", "batch", "edge")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    """`ok`; `note`: something will not work that this stack does not need; `problem`: it needs it."""
    what: str
    found: str
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


Which = Callable[[str], str | None]


def examine(
    session: Session, environment: Mapping[str, str] = os.environ, which: Which = shutil.which
) -> list[Finding]:
    """Look at everything that `up` of a stack needs. Never prints or returns a secret.

    Args:
        session: the project and stack.
        environment: the environment variables.
        which: finds a program on PATH.
    """
    targets, manifest = _manifest(session)
    return [
        _python(),
        _system(),
        _pulumi(which),
        *manifest,
        *_packages(targets),
        *_tools(session, targets, which),
        *_local_containers(session),
        *_state(session, environment),
        *_azure(targets, environment, which),
        *_secrets(session, environment),
    ]


def _python() -> Finding:
    text = ".".join(str(part) for part in sys.version_info[:3])
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("ok", "Python", text)
    return Finding(
        "problem", "Python", text, "use Python 3.11, 3.12 or 3.13: `make clean setup PYTHON=python3.12`"
    )


def _system() -> Finding:
    text = f"{platform.system()} {platform.machine()}"
    if platform.system() in ("Linux", "Darwin"):
        return Finding("ok", "system", text)
    return Finding("problem", "system", text, "use Linux, macOS, or WSL 2 on Windows")


def _pulumi(which: Which) -> Finding:
    found = which("pulumi")
    if found is None:
        fix = "nothing, or https://www.pulumi.com/docs/install/ for other state backends and plugins"
        return Finding("note", "Pulumi CLI", "not on PATH: the embedded engine is used", fix)
    return _version_of("Pulumi CLI", [found, "version"])


def _manifest(session: Session) -> tuple[set[str], list[Finding]]:
    """The types of target that services of the stack are on."""
    try:
        manifest = load(session.project, session.stack)
    except ManifestErrors as errors:
        fix = "run `mldeploy validate` and correct each line it names"
        return set(), [
            Finding("problem", "manifest", f"{len(errors.errors)} errors, first: {errors.errors[0]}", fix)
        ]
    used = {manifest.targets[service.target].type for service in manifest.services.values()}
    text = f"{len(manifest.services)} services on {', '.join(sorted(used)) or 'nothing'}"
    return set(used), [Finding("ok", "manifest", text)]


def _packages(targets: set[str]) -> Iterator[Finding]:
    wanted = {
        "azure": ("pulumi-azure-native", bool(targets & {"aci", "aks", "batch"})),
        "kubernetes": ("pulumi-kubernetes", bool(targets & {"aks", "kubernetes"})),
    }
    for extra, (package, needed) in wanted.items():
        try:
            yield Finding("ok", package, version(package))
        except PackageNotFoundError:
            level: Level = "problem" if needed else "note"
            yield Finding(level, package, "not installed", f"run `make setup-cloud` (the extra {extra!r})")


def _tools(session: Session, targets: set[str], which: Which) -> Iterator[Finding]:
    """Programs that only some stacks need."""
    for tool, needed, fix in (
        ("docker", _needs_docker(session), "install a Docker engine, or write `azure: {builder: acr}`"),
        (
            "kubelogin",
            "aks" in targets,
            "install https://azure.github.io/kubelogin/: AKS clusters ask for Entra tokens",
        ),
    ):
        if not needed:
            continue
        found = which(tool)
        if found is None:
            yield Finding("problem", tool, "not on PATH", fix)
        else:
            yield _version_of(tool, [found, "--version"])


def _needs_docker(session: Session) -> bool:
    try:
        manifest = load(session.project, session.stack)
    except ManifestErrors:
        return False
    used = [manifest.targets[service.target] for service in manifest.services.values()]
    return manifest.azure.builder == "docker" and any(target.type in _AZURE for target in used)


def _local_containers(session: Session) -> Iterator[Finding]:
    """Whether this machine's engine can run services of `runtime: docker`."""
    try:
        manifest = load(session.project, session.stack)
    except ManifestErrors:
        return
    used = {service.target for service in manifest.services.values()}
    for name, target in manifest.targets.items():
        if name in used and target.type == "local" and target.runtime == "docker":
            from mldeploy.provider.local import containers

            fault = containers.fault()
            if fault is None:
                yield Finding("ok", f"targets.{name}", f"Docker engine at {containers.endpoint()}")
            else:
                yield Finding("problem", f"targets.{name}", fault, "or write `runtime: process`")


def _state(session: Session, environment: Mapping[str, str]) -> Iterator[Finding]:
    try:
        url = session.backend_url
    except UsageError as error:
        yield Finding("problem", "state", str(error), "make the folder writable, or set PULUMI_BACKEND_URL")
        return
    yield Finding("ok", "state", url.partition("?")[0])
    named = [
        name for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE") if name in environment
    ]
    if session.stack == LOCAL_STACK or named:
        yield Finding("ok", "passphrase", named[0] if named else "the local stack's own file")
    else:
        fix = (
            "export PULUMI_CONFIG_PASSPHRASE_FILE=<file>, or PULUMI_CONFIG_PASSPHRASE from your secret store"
        )
        yield Finding("problem", "passphrase", f"none for stack {session.stack!r}", fix)


def _azure(targets: set[str], environment: Mapping[str, str], which: Which) -> Iterator[Finding]:
    """Which credentials there are; their values are not looked at."""
    if not targets & set(_AZURE):
        return
    if environment.get("ARM_CLIENT_ID") and (
        environment.get("ARM_USE_OIDC") or environment.get("ARM_CLIENT_SECRET")
    ):
        yield Finding("ok", "Azure login", "ARM_CLIENT_ID and its credential")
    elif (az := which("az")) is not None and _runs([az, "account", "show"]):
        yield Finding("ok", "Azure login", "az login")
    else:
        fix = "run `az login`, or set ARM_CLIENT_ID, ARM_TENANT_ID, ARM_SUBSCRIPTION_ID and ARM_USE_OIDC=true"
        yield Finding("problem", "Azure login", "none found", fix)


def _secrets(session: Session, environment: Mapping[str, str]) -> Iterator[Finding]:
    """The secrets that the manifest names: are they there?"""
    try:
        manifest = load(session.project, session.stack)
    except ManifestErrors:
        return
    names = sorted(set(_env_references(manifest.model_dump())))
    missing = [name for name in names if not environment.get(name)]
    for name in missing:
        yield Finding(
            "problem", f"{{env: {name}}}", "the variable is not set", f"export {name} before `mldeploy up`"
        )
    if names and not missing:
        yield Finding("ok", "secrets from the environment", ", ".join(names))


def _env_references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        items: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        if set(items) == {"env"} and isinstance(items["env"], str):
            yield items["env"]
        for item in items.values():
            yield from _env_references(item)
    elif isinstance(value, list | tuple):
        for item in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _env_references(item)


def _runs(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=_SECONDS).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _version_of(what: str, command: list[str]) -> Finding:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("problem", what, f"{command[0]} does not run: {error}", "install it again")
    said = (done.stdout or done.stderr).strip().splitlines()
    if done.returncode != 0:
        return Finding(
            "problem", what, f"{command[0]} fails: {said[-1] if said else 'no output'}", "install it again"
        )
    return Finding("ok", what, said[0] if said else "installed")
