"""Virtual environments by digest, built by uv: the user's packages and the server's in one resolution."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet

from mldeploy.artifacts import scoring_server
from mldeploy.artifacts.conda import Entry
from mldeploy.artifacts.content import ContentError, digest, entries, text_digest
from mldeploy.home import environments_dir, private_folder, serving_dir
from mldeploy.provider.framework.resource import Context, ProvisionError
from mldeploy.provider.local.claims import Claims, write_json
from mldeploy.provider.local.store import remove_tree

_SHOWN_LINES = 25
_PROGRESS = re.compile(
    r"(Using|Creating|Activate|Resolved|Prepared|Downloading|Downloaded|Building|Built|Installed|Audited)\b"
)
_CANCEL_SECONDS = 0.2
_TOLD = ("Resolved", "Downloading", "Building", "Prepared", "Installed")


@dataclass(frozen=True)
class Plan:
    """What an environment is made of."""

    python: str
    """PEP 440 specifier of the Python version."""
    entries: tuple[Entry, ...]
    prereleases: bool
    shown: str
    """How messages name the file that asks for it."""
    serving_extras: tuple[str, ...] = ()
    """Optional dependencies of the scoring server, by name."""

    @property
    def dependencies(self) -> list[str]:
        """What the user asks for, sorted, without credentials."""
        return sorted({entry.shown for entry in self.entries} | ({"--pre"} if self.prereleases else set()))

    @property
    def digest(self) -> str:
        """The digest of the user's and the server's requirements and the Python version."""
        return text_digest(
            "environment",
            self.python,
            *self.dependencies,
            "serving",
            *scoring_server.requirements(self.serving_extras),
        )


class Environments:
    """The environments and server copies of this machine."""

    def __init__(self) -> None:
        self._folder = environments_dir()
        self._claims = Claims(self._folder / "claims")
        self._serving_claims = Claims(serving_dir() / "claims")
        self._images = Claims(self._folder / "images")

    def path(self, content: str) -> Path:
        """The folder of a virtual environment."""
        return self._folder / content[:32]

    def python(self, content: str) -> Path:
        """The environment's interpreter."""
        return self.path(content) / "bin" / "python"

    def serving_path(self, content: str) -> Path:
        """The folder to put on PYTHONPATH for a copy of the server."""
        return serving_dir() / content[:32]

    # --- images ------------------------------------------------------------------------------------------

    def add_image(self, image: str, claim: str, serving: str) -> None:
        """Note which copy of the server an image's replicas run."""
        self._images.add(image, claim, {"serving": serving})

    def image_serving(self, image: str) -> str:
        """The digest of the server that an image runs.

        Raises:
            ProvisionError: the image is not on this machine.
        """
        for key, _claim, record in self._images.records():
            if key == image:
                return str(record["serving"])
        raise ProvisionError(
            f"the image {image[:12]} is not on this machine: refresh, then run the update again"
        )

    def release_image(self, image: str, claim: str) -> None:
        """Forget it, unless another record has it too."""
        with self._images.locked():
            self._images.drop(image, claim)

    # --- the scoring server ------------------------------------------------------------------------------

    def add_serving(self, content: str, claim: str) -> None:
        """Copy the server's source, so that editing it never changes a running service.

        Raises:
            ProvisionError: the source is not the planned one.
        """
        target = self.serving_path(content)
        self._serving_claims.add(content, claim)
        with self._serving_claims.locked():
            if self.serving_fault(content) is None:
                return
            remove_tree(target)
            building = target.with_name(f".{target.name}.new")
            remove_tree(building)
            for entry in entries(scoring_server.package(), scoring_server.IGNORED):
                copy = building / "serving" / entry.name
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(entry.path.read_bytes())
                copy.chmod(0o400)
            building.rename(target)
        if (fault := self.serving_fault(content)) is not None:
            self.release_serving(content, claim)
            raise ProvisionError(f"{fault}: the source changed while it was copied")

    def serving_fault(self, content: str) -> str | None:
        """What is wrong with a copy of the server; None when nothing is."""
        try:
            found = digest(self.serving_path(content) / "serving", scoring_server.IGNORED)
        except ContentError as error:
            return str(error)
        return None if found == content else f"the copy of the scoring server {content[:12]} was changed"

    def release_serving(self, content: str, claim: str) -> None:
        """Give the copy up."""
        with self._serving_claims.locked():
            if self._serving_claims.drop(content, claim):
                remove_tree(self.serving_path(content))

    # --- environments ------------------------------------------------------------------------------------

    def add(self, ctx: Context, plan: Plan, folder: Path, claim: str) -> None:
        """Build the environment, unless it is there.

        Args:
            ctx: for progress and cancelling.
            plan: what to install.
            folder: where files that the plan names are.
            claim: who needs it.

        Raises:
            ProvisionError: no Python fits, or something cannot be installed; with uv's explanation.
        """
        self._claims.add(plan.digest, claim)
        try:
            with self._building(plan.digest):
                if self.fault(plan.digest) is None:
                    return
                self._build(ctx, plan, folder)
        except BaseException:
            self.release(plan.digest, claim)
            raise

    def _build(self, ctx: Context, plan: Plan, folder: Path) -> None:
        target = self.path(plan.digest)
        remove_tree(target)
        try:
            ctx.status("creating the environment")
            python = _interpreter(plan)
            _uv(ctx, plan, "venv", "--no-project", "--no-python-downloads", "--python", python, str(target))
            requirements = target / "requirements.in"
            requirements.write_text("\n".join(_lines(plan, folder)) + "\n")
            arguments = [
                "pip",
                "install",
                "--python",
                str(target / "bin" / "python"),
                "-r",
                str(requirements),
            ]
            for entry in plan.entries:
                if entry.conda:
                    arguments += ["--only-binary", entry.name]
            if plan.prereleases:
                arguments += ["--prerelease", "allow"]
            _uv(ctx, plan, *arguments)
            requirements.unlink()  # it may hold an index's credentials
            write_json(target / ".complete", {"packages": _packages(target)})
        except BaseException:
            remove_tree(target)
            raise

    def fault(self, content: str) -> str | None:
        """What is wrong with an environment; None when nothing is."""
        target = self.path(content)
        try:
            complete: Any = json.loads((target / ".complete").read_text())
        except (OSError, ValueError):
            return f"the environment {content[:12]} is not there"
        if not os.access(target / "bin" / "python", os.X_OK):
            return f"the environment {content[:12]} has lost its Python"
        missing = set(complete["packages"]) - set(_packages(target))
        return (
            f"the environment {content[:12]} has lost {', '.join(sorted(missing)[:3])}" if missing else None
        )

    def release(self, content: str, claim: str) -> None:
        """Give the environment up; it goes with its last claim."""
        with self._building(content), self._claims.locked():
            if self._claims.drop(content, claim):
                remove_tree(self.path(content))
                self._lock_file(content).unlink(missing_ok=True)

    def _lock_file(self, content: str) -> Path:
        return private_folder(self._folder / "locks") / content[:32]

    @contextmanager
    def _building(self, content: str) -> Generator[None]:
        """One builder an environment; others wait and then find it done."""
        while True:
            with self._lock_file(content).open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                # The file that was waited for may have been removed with its environment meanwhile.
                if self._lock_file(content).exists() and os.path.samestat(
                    os.fstat(file.fileno()), self._lock_file(content).stat()
                ):
                    yield
                    return


def _lines(plan: Plan, folder: Path) -> list[str]:
    lines = [str(folder / entry.line) if entry.digest else entry.line for entry in plan.entries]
    return lines + scoring_server.requirements(plan.serving_extras)


def _packages(target: Path) -> list[str]:
    return sorted(
        path.name for path in target.glob("lib/python*/site-packages/*") if path.name != "__pycache__"
    )


def _interpreter(plan: Plan) -> str:
    """This Python when it fits, else one that uv finds."""
    if SpecifierSet(plan.python).contains(".".join(map(str, sys.version_info[:3]))):
        return sys.executable
    found = subprocess.run(
        [_binary(), "python", "find", "--no-project", "--no-python-downloads", plan.python],
        capture_output=True, text=True, check=False, env=_environment(), cwd="/",
    )  # fmt: skip
    if found.returncode == 0:
        return found.stdout.strip()
    listed = subprocess.run(
        [_binary(), "python", "list", "--only-installed", "--output-format", "json"],
        capture_output=True, text=True, check=False, env=_environment(), cwd="/",
    )  # fmt: skip
    there: list[str] = []
    if listed.returncode == 0:
        there = sorted({item["version"] for item in json.loads(listed.stdout)})
    raise ProvisionError(
        f"{plan.shown} asks for Python {plan.python}; on this machine there is {', '.join(there) or 'none'}. "
        "Install one that fits, or change the python entry"
    )


def _binary() -> str:
    from uv import find_uv_bin

    return find_uv_bin()


def _environment() -> dict[str, str]:
    """This process's environment without Pulumi's secrets, with pip's settings for uv where it has none."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "VIRTUAL_ENV"))
    }
    for theirs, ours in (
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
        ("PIP_CERT", "SSL_CERT_FILE"),
        ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
    ):
        if theirs in kept:
            kept.setdefault(ours, kept[theirs])
    return kept


def _uv(ctx: Context, plan: Plan, *arguments: str) -> None:
    process = subprocess.Popen(
        [_binary(), *arguments, "--color", "never"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=_environment(), cwd="/", start_new_session=True,
    )  # fmt: skip
    threading.Thread(target=_end_when_cancelled, args=(ctx, process), daemon=True).start()
    said: list[str] = []
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line.rstrip())
            if line.strip().startswith(_TOLD):
                ctx.status(line.strip())
    ctx.check_cancelled()
    if process.returncode != 0:
        raise ProvisionError(f"{plan.shown}: the environment cannot be built:\n{_explanation(said, plan)}")


def _end_when_cancelled(ctx: Context, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        if ctx.cancelled.wait(_CANCEL_SECONDS):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return


def _explanation(lines: Sequence[str], plan: Plan) -> str:
    """uv's own words, without its progress and without credentials, under the entries that they are about."""
    text = "\n".join(line for line in lines if line.strip() and not _PROGRESS.match(line.strip()))
    text = re.sub(r"(?<=://)[^/@\s]+@", "***@", text)
    about = [
        f"{entry.where}: {entry.shown}"
        for entry in plan.entries
        if entry.name and re.search(rf"(?<![\w-]){re.escape(entry.name)}(?![\w-])", text)
    ]
    if "Failed to build" in text:
        about.append("(no wheel fits this Python, so it had to be built: choose a version that has one)")
    kept = text.splitlines()
    shown = kept if len(kept) <= _SHOWN_LINES else [*kept[:4], "…", *kept[4 - _SHOWN_LINES :]]
    return "\n".join(f"  {line}" for line in [*about, *shown])
