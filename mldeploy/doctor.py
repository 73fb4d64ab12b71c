"""`mldeploy doctor`: what this machine and project have, what is missing, and how to fix each finding."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from mldeploy import parts, targets
from mldeploy.manifest import Manifest, ManifestErrors, Target, load, written_secrets
from mldeploy.manifest.kinds import Need, kind, kinds
from mldeploy.operations.model import Finding
from mldeploy.session import LOCAL_STACK, Session, UsageError

_SECONDS = 10
_AZURE = "Azure login"
# Where a managed identity or a pod's workload identity logs in:
# https://learn.microsoft.com/python/api/overview/azure/identity-readme#defaultazurecredential
_IDENTITIES = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_SECRET")
Which = Callable[[str], str | None]


def examine(
    session: Session,
    environment: Mapping[str, str] = os.environ,
    which: Which = shutil.which,
    *,
    ask: bool = False,
) -> list[Finding]:
    """Look at everything that `up` of a stack needs. Never prints or returns a secret.

    Args:
        session: the project and stack.
        environment: the environment variables.
        which: finds a program on PATH.
        ask: whether to ask clouds, with the login that is there, for rights and quotas.
    """
    manifest, found = _manifest(session)
    used = _used(manifest)
    needs = list(_needs({target.type for target in used.values()}, environment, which))
    logged_in = any(one.what == _AZURE and one.level == "ok" for one in needs)
    return [
        _python(),
        _system(),
        _installation(),
        _pulumi(which),
        found,
        *needs,
        *(_asked(manifest, session) if ask and logged_in and manifest else ()),
        *_docker(manifest, used, which),
        *(one for name, target in used.items() for one in _of_target(name, target)),
        *_state(session, environment),
        *_secrets(manifest, environment),
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
    if platform.system() == "Linux":
        return Finding("ok", "system", text)
    return Finding("problem", "system", text, "use Linux, a virtual machine of it, or WSL 2 on Windows")


def _installation() -> Finding:
    lost = parts.missing()
    if not lost:
        return Finding("ok", "installation", "complete")
    return Finding(
        "problem",
        "installation",
        "; ".join(lost),
        "install mldeploy again, from its wheel or a whole checkout",
    )


def _pulumi(which: Which) -> Finding:
    found = which("pulumi")
    if found is None:
        fix = "nothing, or https://www.pulumi.com/docs/install/ for other state backends and plugins"
        return Finding("note", "Pulumi CLI", "not on PATH: the embedded engine is used", fix)
    return _version_of("Pulumi CLI", [found, "version"])


def _manifest(session: Session) -> tuple[Manifest | None, Finding]:
    try:
        manifest = load(session.project, session.stack)
    except ManifestErrors as errors:
        fix = "run `mldeploy validate` and correct each line it names"
        text = f"{len(errors.errors)} errors, first: {errors.errors[0]}"
        return None, Finding("problem", "manifest", text, fix)
    types = {target.type for target in _used(manifest).values()}
    text = f"{len(manifest.services)} services on {', '.join(sorted(types)) or 'nothing'}"
    return manifest, Finding("ok", "manifest", text)


def _used(manifest: Manifest | None) -> dict[str, Target]:
    """The targets that services of the stack are on, by name."""
    names = {service.target for service in manifest.services.values()} if manifest else ()
    return {name: manifest.targets[name] for name in sorted(names)} if manifest else {}


def _needs(used: set[str], environment: Mapping[str, str], which: Which) -> Iterator[Finding]:
    """What the used types of target need; packages also of those that are not used, to be known before they are."""
    needs = {need: name in used for name, one in kinds().items() if name not in used for need in one.needs}
    needs |= {need: True for name, one in kinds().items() if name in used for need in one.needs}
    for need, needed in needs.items():
        if need.what == "package":
            yield _package(need, needed=needed)
        elif needed:
            yield _program(need, which) if need.what == "program" else _login(need, environment, which)


def _package(need: Need, *, needed: bool) -> Finding:
    try:
        return Finding("ok", need.name, version(need.name))
    except PackageNotFoundError:
        return Finding("problem" if needed else "note", need.name, "not installed", need.fix)


def _program(need: Need, which: Which) -> Finding:
    found = which(need.name)
    if found is None:
        return Finding("problem", need.name, "not on PATH", need.fix)
    return _version_of(need.name, [found, "--version"])


def _login(need: Need, environment: Mapping[str, str], which: Which) -> Finding:
    """Which credentials there are; their values are not looked at."""
    what = f"{need.name} login"
    if environment.get("ARM_CLIENT_ID") and (
        environment.get("ARM_USE_OIDC") or environment.get("ARM_CLIENT_SECRET")
    ):
        return Finding("ok", what, "ARM_CLIENT_ID and its credential")
    if variable := next((name for name in _IDENTITIES if environment.get(name)), None):
        return Finding("ok", what, variable)
    if environment.get("ARM_USE_MSI"):
        return Finding("ok", what, "ARM_USE_MSI")
    if (az := which("az")) is not None and _runs([az, "account", "show"]):
        return Finding("ok", what, "az login")
    return Finding("problem", what, "none found", need.fix)


def _asked(manifest: Manifest, session: Session) -> Iterator[Finding]:
    """What Azure says: only a stack on it pays for the import."""
    from mldeploy.operations.azure_check import examine

    yield from examine(manifest, session.stack_settings())


def _docker(manifest: Manifest | None, used: Mapping[str, Target], which: Which) -> Iterator[Finding]:
    """Images that go to a registry are built by this machine's engine, unless the registry's own tasks build them."""
    builds = manifest is not None and any(
        getattr(target, "registry", None) is not None
        or (kind(target.type).foundation != "never" and manifest.azure.builder == "docker")
        for target in used.values()
    )
    if builds:
        yield _program(
            Need("program", "docker", "install a Docker engine, or write `azure: {builder: acr}`"), which
        )


def _of_target(name: str, target: Target) -> Iterator[Finding]:
    """What only one type of target looks at."""
    examine = getattr(import_module(targets.of(target.type).operations), "examine", None)
    if examine is not None:
        yield from examine(name, target)


def _state(session: Session, environment: Mapping[str, str]) -> Iterator[Finding]:
    try:
        url = session.backend_url
    except UsageError as error:
        yield Finding("problem", "state", str(error), "make the folder writable, or set PULUMI_BACKEND_URL")
        return
    yield Finding("ok", "state", url.partition("?")[0])
    if session.state_folder is not None:
        from mldeploy.engine.state.stack import files_in_clear

        if clear := files_in_clear(session.project, session.stack, backend_url=url):
            yield Finding(
                "problem",
                "secrets in clear",
                f"in {len(clear)} files of the state, such as {clear[0]}",
                "run `mldeploy up` with a passphrase, which encrypts them; then rotate the services' keys",
            )
    named = [
        name for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE") if name in environment
    ]
    try:
        session.passphrase()
    except UsageError as error:
        yield Finding("problem", "passphrase", str(error), "see there")
        return
    if session.stack == LOCAL_STACK or named:
        yield Finding("ok", "passphrase", named[0] if named else "the local stack's own file")
    else:
        fix = (
            "export PULUMI_CONFIG_PASSPHRASE_FILE=<file>, or PULUMI_CONFIG_PASSPHRASE from your secret store"
        )
        yield Finding("problem", "passphrase", f"none for stack {session.stack!r}", fix)


def _secrets(manifest: Manifest | None, environment: Mapping[str, str]) -> Iterator[Finding]:
    """The secrets that the manifest names: are they there?"""
    raw = manifest.model_dump(exclude_none=True) if manifest else {}
    names = sorted({name for _, name in written_secrets(raw, "env")})
    missing = [name for name in names if not environment.get(name)]
    for name in missing:
        yield Finding(
            "problem", f"{{env: {name}}}", "the variable is not set", f"export {name} before `mldeploy up`"
        )
    if names and not missing:
        yield Finding("ok", "secrets from the environment", ", ".join(names))


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
