"""Environment: an entry script with everything that it needs to run, by digest."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mldeploy.artifacts import conda
from mldeploy.artifacts.content import ContentError, SqliteHashCache, digest, source_ignore, text_digest
from mldeploy.artifacts.sources import inside
from mldeploy.home import cache_dir
from mldeploy.provider.framework.resource import CheckError, Context, Diff, Field, ProvisionError, Resource
from mldeploy.provider.framework.values import has_unknown
from mldeploy.provider.local.environments import Environments, Plan, serving_digest

_COMPUTED = {
    "dependencies": Field(
        kind="array", computed=True, items=Field(kind="string", description="A requirement."),
        description="What the conda file asks for, as pip requirements.",
    ),
    "python": Field(kind="string", computed=True, description="The Python versions that fit."),
    "dependencies_digest": Field(
        kind="string", computed=True, description="Digest of the packages, the server's among them."
    ),
    "source_digest": Field(kind="string", computed=True, description="Digest of the source directory."),
    "serving_digest": Field(kind="string", computed=True, description="Digest of the server's source."),
}  # fmt: skip


class Environment(Resource):
    """A source directory, and a virtual environment built by uv."""

    token = "mldeploy:image:Environment"  # noqa: S105
    description = (
        "An entry script's environment on this machine: packages, scoring server and source, by digest."
    )
    inputs = {
        "image": Field(kind="string", required=True, description="The image's name."),
        "source_directory": Field(
            kind="string", required=True, description="The scripts' folder in the project."
        ),
        "entry_script": Field(
            kind="string", required=True, description="The script, relative to source_directory."
        ),
        "conda_file": Field(kind="string", description="The conda file, relative to source_directory."),
        "runtime": Field(
            kind="string", required=True, choices=("python",), description="What runs the script."
        ),
        "serving_extras": Field(
            kind="array",
            items=Field(kind="string", description="Its name."),
            description="Optional dependencies of the scoring server.",
        ),
        **_COMPUTED,
    }
    outputs = {
        "digest": Field(
            kind="string", description="The image's digest: source, script, packages and server."
        ),
        "environment_digest": Field(kind="string", description="The virtual environment's digest."),
    }

    def check(self, ctx: Context, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """Read the conda file, digest the source directory."""
        if has_unknown(news):
            return {}
        try:
            source = inside(news["source_directory"], ctx.root)
            if not source.is_dir():
                raise ContentError(f"{news['source_directory']} is no folder")
        except ContentError as error:
            raise CheckError(("source_directory", str(error))) from None
        faults = [
            (name, f"no file {news[name]!r} in {news['source_directory']}")
            for name in ("entry_script", "conda_file")
            if news.get(name) and not _is_file_inside(source, news[name])
        ]
        if not faults and source_ignore(source)(news["entry_script"], False):
            faults.append(("entry_script", f"{news['entry_script']} is left out by the folder's ignore file"))
        if faults:
            raise CheckError(*faults)
        try:
            plan, _ = _plan(ctx.root, news)
            with SqliteHashCache(cache_dir() / "hashes.sqlite") as cache:
                source_digest = digest(source, source_ignore(source), cache)
            return {
                "dependencies": plan.dependencies,
                "python": plan.python,
                "dependencies_digest": plan.digest,
                "source_digest": source_digest,
                "serving_digest": serving_digest(),
            }
        except ContentError as error:
            raise CheckError(("source_directory", str(error))) from None
        except ProvisionError as error:
            if not news.get("serving_extras"):
                raise
            raise CheckError(("serving_extras", str(error))) from None

    def diff(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> Diff:
        """Besides changed inputs: an environment that is gone or damaged is built again in its place."""
        found = super().diff(ctx, ident, state, olds, news)
        if not found.details and _fault(state) is not None:
            found.details["environment_digest"] = "update"
            found.drift.add("environment_digest")
        return found

    def preview(self, ctx: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Everything comes from the files."""
        return _outputs(inputs) if "source_digest" in inputs else {}

    def create(self, ctx: Context, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Build the environment, copy the server."""
        outputs = _outputs(inputs)
        ident = f"{inputs['image']}-{outputs['digest'][:12]}-{secrets.token_hex(3)}"
        self._make(ctx, ident, inputs)
        return ident, outputs

    def read(
        self, ctx: Context, ident: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """A damaged environment is gone."""
        if (fault := _fault(state)) is not None:
            ctx.warn(f"image {state['image']}: {fault}")
            self.delete(ctx, ident, state)
            return None
        return dict(state), {}

    def update(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Build again what was damaged."""
        self._make(ctx, ident, news)
        return _outputs(news)

    def delete(self, ctx: Context, ident: str, state: Mapping[str, Any]) -> None:
        """Give up the environment and the server's copy; they go with the last image that needs them."""
        environments = Environments()
        environments.release_image(str(state["digest"]), ident)
        environments.release(str(state["environment_digest"]), ident)
        environments.release_serving(str(state["serving_digest"]), ident)

    def _make(self, ctx: Context, ident: str, inputs: Mapping[str, Any]) -> None:
        plan, served = _plan(ctx.root, inputs)
        if plan.digest != inputs["dependencies_digest"]:
            raise ProvisionError(f"{plan.shown} changed since it was planned: run the update again")
        if served:
            ctx.info(f"{', '.join(served)}: the scoring server has what scripts use of it; not installed")
        environments = Environments()
        environments.add_serving(str(inputs["serving_digest"]), ident)
        try:
            conda_file = ctx.root / str(inputs["source_directory"]) / str(inputs.get("conda_file") or "")
            environments.add(ctx, plan, conda_file.parent, ident)
            environments.add_image(_outputs(inputs)["digest"], ident, str(inputs["serving_digest"]))
        except BaseException:
            environments.release_serving(str(inputs["serving_digest"]), ident)
            raise


def _plan(root: Path, inputs: Mapping[str, Any]) -> tuple[Plan, list[str]]:
    extras = tuple(inputs.get("serving_extras") or ())
    if not inputs.get("conda_file"):
        return Plan(conda.DEFAULT_PYTHON, (), False, f"image {inputs['image']}", extras), []
    shown = f"{str(inputs['source_directory']).rstrip('/')}/{inputs['conda_file']}"
    found = conda.read(root / str(inputs["source_directory"]) / str(inputs["conda_file"]), shown)
    if found.errors:
        raise CheckError(*(("conda_file", error) for error in found.errors))
    plan = Plan(found.python, tuple(found.entries), found.prereleases, shown, extras)
    return plan, sorted(set(found.served))


def _outputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    environment = str(inputs["dependencies_digest"])
    image = text_digest(
        "image",
        str(inputs["source_digest"]),
        str(inputs["entry_script"]),
        str(inputs["serving_digest"]),
        str(inputs["runtime"]),
        environment,
    )
    return {"digest": image, "environment_digest": environment}


def _fault(state: Mapping[str, Any]) -> str | None:
    environments = Environments()
    return environments.fault(str(state["environment_digest"])) or environments.serving_fault(
        str(state["serving_digest"])
    )


def _is_file_inside(folder: Path, relative: str) -> bool:
    try:
        return inside(relative, folder).is_file()
    except ContentError:
        return False
