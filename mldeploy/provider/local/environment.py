"""Environment: an entry script with everything that it needs to run, by digest."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from mldeploy.artifacts import conda, scoring_server
from mldeploy.artifacts.content import (
    ContentError,
    SqliteHashCache,
    combine,
    entries,
    file_hash,
    source_ignore,
    text_digest,
)
from mldeploy.artifacts.sources import inside
from mldeploy.home import cache_dir, home
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
from mldeploy.provider.local.homes import not_elsewhere

_MOST_FILES: Final = 200


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
    source_digest: Out[str] = computed("Digest of the source directory; of its conda file, what it says.")
    source_files: Out[Mapping[str, str]] = computed(
        "The start of each source file's digest, by which a plan names what changed; of few files.",
        replaces=False,
    )
    serving_digest: Out[str] = computed("Digest of the server's source.")
    digest: Out[str] = output("The image's digest: source, script, packages and server.")
    environment_digest: Out[str] = output("The virtual environment's digest.")
    home: Out[str] = output("The home that has it, on the machine of the last update.", default="")


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
            plan, asked = _plan(ctx.root, new)
            files, source_digest = _source(source, asked.files, old.source_digest)
            return {
                "dependencies": plan.dependencies,
                "python": plan.python,
                "dependencies_digest": plan.digest,
                "source_digest": source_digest,
                "source_files": files,
                "serving_digest": scoring_server.source_digest(),
            }
        except scoring_server.ScoringServerError as error:
            raise CheckError(("serving_extras", str(error))) from None
        except ContentError as error:
            raise CheckError(("source_directory", str(error))) from None

    def diff(self, ctx: Context, change: Change[EnvironmentFields]) -> Diff:
        """Besides changed inputs: an environment that is gone or damaged is built again in its place."""
        _here(change.id, change.state)
        found = super().diff(ctx, change)
        # They explain a difference and are none: states of before had no such list, and comments may change.
        found.ignore("source_files")
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
        _here(ident, state)
        if (fault := _fault(state)) is not None:
            ctx.warn(f"image {state.image}: {fault}")
            self.delete(ctx, ident, state)
            return None
        return Live()

    def update(self, ctx: Context, change: Change[EnvironmentFields]) -> dict[str, Any]:
        """Build again what was damaged."""
        _make(ctx, change.id, change.new)
        return _outputs(change.new)

    def claim(self, ctx: Context, ident: str, inputs: EnvironmentFields) -> None:
        """Build what is missing for somebody who has no record of it in a stack, and keep it for him.

        Raises:
            ProvisionError: it cannot be built.
        """
        _make(ctx, ident, inputs)

    def delete(self, ctx: Context, ident: str, state: EnvironmentFields) -> None:
        """Give up the environment and the server's copy; they go with the last image that needs them."""
        _here(ident, state)
        environments = Environments()
        environments.release_image(state.digest, ident)
        environments.release(state.environment_digest, ident)
        environments.release_serving(state.serving_digest, ident)


def _make(ctx: Context, ident: str, inputs: EnvironmentFields) -> None:
    plan, asked = _plan(ctx.root, inputs)
    if plan.digest != inputs.dependencies_digest:
        raise ProvisionError(f"{plan.shown} changed since it was planned: run the update again")
    if served := sorted(set(asked.served)):
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


def _plan(root: Path, inputs: EnvironmentFields) -> tuple[Plan, conda.CondaFile]:
    extras = tuple(inputs.serving_extras)
    if not inputs.conda_file:
        return Plan(conda.DEFAULT_PYTHON, (), False, f"image {inputs.image}", extras), conda.CondaFile()
    shown = f"{inputs.source_directory.rstrip('/')}/{inputs.conda_file}"
    found = conda.read(root / inputs.source_directory / inputs.conda_file, shown)
    if found.errors:
        raise CheckError(*(("conda_file", error) for error in found.errors))
    plan = Plan(found.python, tuple(found.entries), found.prereleases, shown, extras)
    return plan, found


def _source(folder: Path, packages: Sequence[Path], before: str | None) -> tuple[dict[str, str], str]:
    """The digests of a source directory's files, where they are few, and of the whole.

    Args:
        folder: the source directory.
        packages: files whose content counts as the packages that they name, elsewhere: not their comments or line ends.
        before: the digest that the state has.

    Raises:
        ContentError: a file cannot be read.
    """
    listed = entries(folder, source_ignore(folder))
    with SqliteHashCache(cache_dir() / "hashes.sqlite") as cache:
        hashes = [(entry.name, entry.size, file_hash(entry.path, cache)) for entry in listed]
    apart = {path.resolve() for path in packages}
    said = [
        (name, 0, "") if entry.path.resolve() in apart else (name, size, found)
        for entry, (name, size, found) in zip(listed, hashes, strict=True)
    ]
    # Versions of before took every file as it is written: what has not changed since then stays what it is.
    written = combine(iter(hashes))
    short = {name: found[:12] for name, _, found in hashes} if len(hashes) <= _MOST_FILES else {}
    return short, written if written == before else combine(iter(said))


def _outputs(inputs: EnvironmentFields) -> dict[str, Any]:
    image = text_digest(
        "image",
        inputs.source_digest,
        inputs.entry_script,
        inputs.serving_digest,
        inputs.runtime,
        inputs.dependencies_digest,
    )
    return {"digest": image, "environment_digest": inputs.dependencies_digest, "home": str(home())}


def _here(ident: str, state: EnvironmentFields) -> None:
    """See :func:`mldeploy.provider.local.homes.not_elsewhere`."""
    claim = f"environments/claims/{state.environment_digest}/{ident}.json"
    not_elsewhere(f"the environment of image {state.image}", state.home, claim)


def _fault(state: EnvironmentFields) -> str | None:
    environments = Environments()
    return environments.fault(state.environment_digest) or environments.serving_fault(state.serving_digest)


def _is_file_inside(folder: Path, relative: str) -> bool:
    try:
        return inside(relative, folder).is_file()
    except ContentError:
        return False
