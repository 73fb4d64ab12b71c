"""Where services, models and environments live on this machine: never inside a checkout."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

_PRIVATE = 0o700
# sockaddr_un holds 104 bytes on macOS and 108 on Linux, the ending NUL included.
_SOCKET_PATH_LIMIT = 100


class HomeError(OSError):
    """The home cannot be used; the message says which folder, why, and what to do."""


def home() -> Path:
    """The folder that holds everything: ``$MLDEPLOY_HOME``, else ``$XDG_DATA_HOME/mldeploy``, else
    ``~/.local/share/mldeploy``. Created with mode 0700.

    Raises:
        HomeError: it cannot be created, or it belongs to somebody else.
    """
    if named := os.environ.get("MLDEPLOY_HOME"):
        folder = Path(named).expanduser()
    else:
        folder = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "mldeploy"
    try:
        return private_folder(folder.absolute())
    except OSError as error:
        raise HomeError(
            f"the home of the services, {folder}, cannot be used: {error.strerror or error}; "
            "set MLDEPLOY_HOME to a folder that you can write to"
        ) from None


def store_dir() -> Path:
    """Registered models: content by digest."""
    return private_folder(home() / "store")


def environments_dir() -> Path:
    """Virtual environments by digest."""
    return private_folder(home() / "environments")


def services_dir() -> Path:
    """Run directories of replicas and listeners."""
    return private_folder(home() / "services")


def collected_dir() -> Path:
    """Inputs and outputs that local services collect; nothing here is ever removed by a deployment."""
    return private_folder(home() / "collected")


def serving_dir() -> Path:
    """Copies of the scoring server's package by digest."""
    return private_folder(home() / "serving")


def cache_dir() -> Path:
    """What can be deleted at any time and is made again."""
    return private_folder(home() / "cache")


def private_folder(folder: Path) -> Path:
    """Create ``folder`` with its parents, readable by its owner only, and return it.

    Raises:
        OSError: it cannot be created, is no folder, or belongs to another user.
    """
    folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    found = folder.stat()
    if hasattr(os, "getuid") and found.st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to user id {found.st_uid}, not to you ({os.getuid()})")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(_PRIVATE)
    return folder


def socket_path(run_dir: Path, name: str) -> Path:
    """A path for a UNIX socket of ``run_dir``: inside it when that is short enough for the kernel, else in a
    short private folder of this user under the system's temporary folder, named by the run directory's hash.
    """
    path = run_dir / name
    if len(os.fsencode(path)) < _SOCKET_PATH_LIMIT:
        return path
    return short_dir() / f"{hashlib.sha256(os.fsencode(run_dir)).hexdigest()[:20]}-{name}"


def short_dir() -> Path:
    """The folder for sockets whose own folder's path is too long: ``$XDG_RUNTIME_DIR/mldeploy`` or
    ``<temporary folder>/mldeploy-<user id>``."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    candidates = [Path(tempfile.gettempdir()) / f"mldeploy-{user}", Path(f"/tmp/mldeploy-{user}")]  # noqa: S108
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        candidates.insert(0, Path(runtime) / "mldeploy")
    # 20 characters of hash, a hyphen and the name still have to fit.
    for folder in candidates:
        if len(os.fsencode(folder)) < _SOCKET_PATH_LIMIT - 40:
            return private_folder(folder)
    raise OSError(
        f"no folder with a path short enough for a UNIX socket: tried {', '.join(map(str, candidates))}"
    )
