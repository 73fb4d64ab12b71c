"""Environment: an entry script with everything that it needs to run, by digest."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from mldeploy.artifacts import conda, scoring_server
from mldeploy.artifacts.content import ContentError, SqliteHashCache, digest, source_ignore, text_digest
from mldeploy.artifacts.sources import inside
from mldeploy.home import cache_dir
from mldeploy.provider.framework.declare import Declaration, In, Opt, Or, Out, computed, field, output
from mldeploy.provider.framework.resource import (
    Change,
    CheckError,
    Context,
    Diff,
    Live,
    ProvisionError,
    Resource,
    known,
)
from mldeploy.provider.local.environments import Environments, Plan


class EnvironmentFields(Declaration, token="mldeploy:image:Environment"):
    """An entry script's environment on this machine: packages, scoring server and source, by digest."""

    image: In[str] = field("The image's name.")
    source_directory: In[str] = field("The scripts' folder in the project.")
    entry_script: In[str] = field("The script, relative to source_directory.")
    conda_file: Opt[str] = field("The conda file, relative to source_directory.", default=None)
    runtime: In[Literal["python"]] = field("What runs the script.")
    serving_extras: Or[Sequence[str]] = field("Optional dependencies of the scoring server.", default=())
    dependencies: Out[Sequence[str]] = computed("What the conda file asks for, as pip requirements.")
    python: Out[str] = computed("The Python versions that fit.")
    dependencies_digest: Out[str] = computed("Digest of the packages, the server's among them.")
    source_digest: Out[str] = computed("Digest of the source directory.")
    serving_digest: Out[str] = computed("Digest of the server's source.")
    digest: Out[str] = output("The image's digest: source, script, packages and server.")
    environment_digest: Out[str] = output("The virtual environment's digest.")


class Environment(Resource[EnvironmentFields]):
    """A source directory, and a virtual environment built by uv."""

    def check(self, ctx: Context, old: EnvironmentFields, new: EnvironmentFields) -> dict[str, Any]:
        """Read the conda file, digest the source directory."""
        if not known(new):
            return {}
        try:
            source = inside(new.source_directory, ctx.root)
            if not source.is_dir():
                raise ContentError(f"{new.source_directory} is no folder")
        except ContentError as error:
            raise CheckError(("source_directory", str(error))) from None
        faults = [
            (name, f"no file {value!r} in {new.source_directory}")
            for name, value in (("entry_script", new.entry_script), ("conda_file", new.conda_file))
            if value and not _is_file_inside(source, value)
        ]
        if not faults and source_ignore(source)(new.entry_script, False):
            faults.append(("entry_script", f"{new.entry_script} is left out by the folder's ignore file"))
        if faults:
            raise CheckError(*faults)
        try:
            plan, _ = _plan(ctx.root, new)
            with SqliteHashCache(cache_dir() / "hashes.sqlite") as cache:
                source_digest = digest(source, source_ignore(source), cache)
            return {
                "dependencies": plan.dependencies,
                "python": plan.python,
                "dependencies_digest": plan.digest,
                "source_digest": source_digest,
                "serving_digest": scoring_server.source_digest(),
            }
        except scoring_server.ScoringServerError as error:
            raise CheckError(("serving_extras", str(error))) from None
        except ContentError as error:
            raise CheckError(("source_directory", str(error))) from None

    def diff(self, ctx: Context, change: Change[EnvironmentFields]) -> Diff:
        """Besides changed inputs: an environment that is gone or damaged is built again in its place."""
        found = super().diff(ctx, change)
        if not found.details and _fault(change.state) is not None:
            found.drifted("environment_digest")
        return found

    def preview(self, ctx: Context, inputs: EnvironmentFields) -> dict[str, Any]:
        """Everything comes from the files."""
        return _outputs(inputs) if inputs.source_digest else {}

    def create(self, ctx: Context, inputs: EnvironmentFields) -> tuple[str, dict[str, Any]]:
        """Build the environment, copy the server."""
        outputs = _outputs(inputs)
        ident = f"{inputs.image}-{outputs['digest'][:12]}-{secrets.token_hex(3)}"
        _make(ctx, ident, inputs)
        return ident, outputs

    def read(
        self, ctx: Context, ident: str, state: EnvironmentFields, inputs: EnvironmentFields
    ) -> Live | None:
        """A damaged environment is gone."""
        if (fault := _fault(state)) is not None:
            ctx.warn(f"image {state.image}: {fault}")
            self.delete(ctx, ident, state)
            return None
        return Live()

    def update(self, ctx: Context, change: Change[EnvironmentFields]) -> dict[str, Any]:
        """Build again what was damaged."""
        _make(ctx, change.id, change.new)
        return _outputs(change.new)

    def delete(self, ctx: Context, ident: str, state: EnvironmentFields) -> None:
        """Give up the environment and the server's copy; they go with the last image that needs them."""
        environments = Environments()
        environments.release_image(state.digest, ident)
        environments.release(state.environment_digest, ident)
        environments.release_serving(state.serving_digest, ident)


def _make(ctx: Context, ident: str, inputs: EnvironmentFields) -> None:
    plan, served = _plan(ctx.root, inputs)
    if plan.digest != inputs.dependencies_digest:
        raise ProvisionError(f"{plan.shown} changed since it was planned: run the update again")
    if served:
        ctx.info(f"{', '.join(served)}: the scoring server has what scripts use of it; not installed")
    environments = Environments()
    environments.add_serving(inputs.serving_digest, ident)
    try:
        conda_file = ctx.root / inputs.source_directory / (inputs.conda_file or "")
        environments.add(ctx, plan, conda_file.parent, ident)
        environments.add_image(_outputs(inputs)["digest"], ident, inputs.serving_digest)
    except BaseException:
        environments.release_serving(inputs.serving_digest, ident)
        raise


def _plan(root: Path, inputs: EnvironmentFields) -> tuple[Plan, list[str]]:
    extras = tuple(inputs.serving_extras)
    if not inputs.conda_file:
        return Plan(conda.DEFAULT_PYTHON, (), False, f"image {inputs.image}", extras), []
    shown = f"{inputs.source_directory.rstrip('/')}/{inputs.conda_file}"
    found = conda.read(root / inputs.source_directory / inputs.conda_file, shown)
    if found.errors:
        raise CheckError(*(("conda_file", error) for error in found.errors))
    plan = Plan(found.python, tuple(found.entries), found.prereleases, shown, extras)
    return plan, sorted(set(found.served))


def _outputs(inputs: EnvironmentFields) -> dict[str, Any]:
    image = text_digest(
        "image",
        inputs.source_digest,
        inputs.entry_script,
        inputs.serving_digest,
        inputs.runtime,
        inputs.dependencies_digest,
    )
    return {"digest": image, "environment_digest": inputs.dependencies_digest}


def _fault(state: EnvironmentFields) -> str | None:
    environments = Environments()
    return environments.fault(state.environment_digest) or environments.serving_fault(state.serving_digest)


def _is_file_inside(folder: Path, relative: str) -> bool:
    try:
        return inside(relative, folder).is_file()
    except ContentError:
        return False
