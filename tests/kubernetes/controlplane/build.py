"""Build the test control plane from Go modules, once: `python -m tests.kubernetes.controlplane.build`.

The result is cached outside the checkout, in a folder named by the digest of go.mod and go.sum. A first build
takes about ten minutes on two cores; afterwards it is found in the cache.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
_RECIPE = b"1"
"""Changes when what is built of the modules does."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mldeploy-tests"
_COMMANDS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
_PACKAGES = [f"k8s.io/kubernetes/cmd/{name}" for name in _COMMANDS] + ["sigs.k8s.io/kwok/cmd/kwok"]
_BINARIES = (*_COMMANDS, "kwok", "etcd")
_FLAGS = ["-buildvcs=false", "-mod=readonly", "-gcflags=all=-dwarf=false"]
_STAGES = (
    "node/fast/node-initialize",
    "node/heartbeat-with-lease/node-heartbeat-with-lease",
    "pod/fast/pod-ready",
    "pod/fast/pod-complete",
    "pod/fast/pod-delete",
)
_CRDS = ("gatewayclasses", "gateways", "httproutes")


def folder() -> Path:
    """Where the binaries of the present go.sum are, or will be."""
    digest = hashlib.sha256(_RECIPE)
    for name in ("go.mod", "go.sum", "crds/go.sum"):
        digest.update((HERE / name).read_bytes())
    return CACHE / f"controlplane-{digest.hexdigest()[:16]}"


def why_not() -> str | None:
    """Why there is no control plane to start, or None when there is one."""
    if (folder() / "complete").exists():
        return None
    return (
        "the control plane is not built: run `make test-kubernetes` (needs Go, takes about ten minutes once)"
    )


def build() -> Path:
    """The folder with the binaries, `crds/` and `stages/`; built when it is not there.

    Raises:
        RuntimeError: Go is missing, or a build fails; its own output has been shown.
    """
    target = folder()
    if (target / "complete").exists():
        return target
    if shutil.which("go") is None:
        raise RuntimeError("the control plane is built from Go modules: install Go (https://go.dev/dl) first")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two builds at once would take twice as long
        if not (target / "complete").exists():
            target.mkdir(exist_ok=True)
            _compile(target)
            _copy_files(target)
            (target / "complete").touch()
    return target


def _compile(target: Path) -> None:
    version = _go("list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes").strip()
    minor = re.match(r"v1\.(\d+)\.", version)
    assert minor, version
    package = "k8s.io/component-base/version"
    facts = {
        "gitVersion": version,
        "gitMajor": "1",
        "gitMinor": minor[1],
        "gitTreeState": "clean",
        "gitCommit": "module",
    }
    stamp = " ".join(f"-X {package}.{key}={value}" for key, value in facts.items())
    print(
        f"building Kubernetes {version}, etcd and kwok into {target} (about ten minutes on two cores)",
        flush=True,
    )
    _go("build", *_FLAGS, "-ldflags", f"-s -w {stamp}", "-o", f"{target}/", *_PACKAGES, show=True)
    _go(
        "build",
        *_FLAGS,
        "-ldflags",
        "-s -w",
        "-o",
        str(target / "etcd"),
        "go.etcd.io/etcd/server/v3",
        show=True,
    )
    missing = [name for name in _BINARIES if not (target / name).exists()]
    if missing:
        raise RuntimeError(f"the build left out {', '.join(missing)}")


def _copy_files(target: Path) -> None:
    """kwok has no stages built in, and the API server no Gateway API: both come from their modules' folders."""
    kwok = Path(_go("list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok").strip()) / "kustomize/stage"
    (target / "stages").mkdir(exist_ok=True)
    for stage in _STAGES:
        shutil.copyfile(kwok / f"{stage}.yaml", target / "stages" / f"{Path(stage).name}.yaml")
    found = json.loads(_go("mod", "download", "-json", "sigs.k8s.io/gateway-api", cwd=HERE / "crds"))
    source = Path(found["Dir"]) / "config/crd/standard"
    (target / "crds").mkdir(exist_ok=True)
    for name in _CRDS:
        shutil.copyfile(source / f"gateway.networking.k8s.io_{name}.yaml", target / "crds" / f"{name}.yaml")


def _go(*arguments: str, cwd: Path = HERE, show: bool = False) -> str:
    command = ["go", *arguments]
    if shutil.which("nice"):
        command = ["nice", "-n", "10", *command]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    error = None if show else subprocess.PIPE
    result = subprocess.run(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=error, text=True, check=False
    )
    if result.returncode:
        raise RuntimeError(f"go {' '.join(arguments[:2])} failed: {(result.stderr or '')[-4000:]}")
    return result.stdout


if __name__ == "__main__":
    try:
        print(build())
    except RuntimeError as problem:
        sys.exit(str(problem))
