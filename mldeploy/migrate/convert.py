"""From v1 files to a draft of the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from mldeploy.migrate import json_files
from mldeploy.migrate.draft import Draft
from mldeploy.migrate.findings import Finding, MigrateError, Outcome
from mldeploy.migrate.images import Images
from mldeploy.migrate.models import Models
from mldeploy.migrate.scripts import read_script
from mldeploy.migrate.services import Services
from mldeploy.migrate.targets import Targets
from mldeploy.migrate.v1 import Call, Unknown
from mldeploy.migrate.write import render

_SCRIPTS = (".py", ".ipynb")
_DOCUMENTS = (".json", ".yml", ".yaml")
_DEPLOYS = ("Model.deploy", "Webservice.deploy_from_model", "Webservice.deploy")


@dataclass(frozen=True)
class Options:
    """What the files themselves do not say."""

    root: Path
    """The project's folder, which the manifest is for."""
    name: str | None = None
    """The service's name, for JSON files. Default: the first model's."""
    models: tuple[str, ...] = ()
    """`name:version` or `name:version=path`, as `az ml model deploy -m` named them."""
    compute_target: str | None = None
    """The AKS compute, as `-ct` named it."""
    location: str | None = None
    """The Azure region. Default: to decide."""
    tags: tuple[str, ...] = ()
    """`key=value`, as `--tag`."""


@dataclass(frozen=True)
class Migration:
    """What a migration made."""

    files: dict[str, str]
    """Manifest files by name, as YAML."""
    written: dict[str, str] = field(default_factory=dict[str, str])
    """Conda files to write, by path in the project."""
    findings: tuple[Finding, ...] = ()
    secrets: dict[str, str] = field(default_factory=dict[str, str])
    """Keys of the configuration to set, and what they are."""
    documents: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """The manifest files as plain data."""

    @property
    def stacks(self) -> list[str]:
        """The stacks that there is a file for."""
        return sorted(name.split(".")[1] for name in self.files if name.count(".") == 2)

    def by_outcome(self, outcome: Outcome) -> list[Finding]:
        """The findings of one kind."""
        return [finding for finding in self.findings if finding.outcome is outcome]


def migrate(paths: Sequence[Path], options: Options) -> Migration:
    """Read v1 files and write what they mean as a manifest.

    Args:
        paths: deployment scripts and notebooks, or an inference config with a deployment config.
        options: what the files do not say.

    Raises:
        MigrateError: a file cannot be read, is no v1 file, or nothing in it is ever registered or deployed.
    """
    if not paths:
        raise MigrateError(
            "no files; give deployment scripts, or inferenceconfig.json and deploymentconfig.json"
        )
    draft = Draft(options.root)
    scripts = [path for path in paths if path.suffix in _SCRIPTS]
    documents = [path for path in paths if path.suffix in _DOCUMENTS]
    other = [path for path in paths if path not in scripts and path not in documents]
    if other:
        allowed = ", ".join((*_SCRIPTS, *_DOCUMENTS))
        raise MigrateError(f"{other[0]}: no v1 file; allowed: {allowed}")
    for path in scripts:
        _script(path, draft, options)
    if documents:
        _documents(documents, draft, options)
    draft.files.setdefault("manifest.yaml", {"version": 1})
    ordered = {name: _ordered(draft.files[name]) for name in sorted(draft.files)}
    return Migration(
        files={name: render(name, document, draft.comments) for name, document in ordered.items()},
        written=draft.written,
        findings=tuple(draft.findings),
        secrets=draft.secrets,
        documents=ordered,
    )


def _ordered(document: dict[str, Any]) -> dict[str, Any]:
    """Sections in the order of the documentation."""
    order = ("version", "azure", "models", "images", "targets", "services")
    return {key: document[key] for key in order if key in document}


# --- scripts ---------------------------------------------------------------------------------------------


def _script(path: Path, draft: Draft, options: Options) -> None:
    calls = read_script(path, path.name)
    if not calls:
        raise MigrateError(
            f"{path.name}: nothing in it registers or deploys a model; looked for Model.register, Model.deploy, "
            "ComputeTarget.create/attach, ParallelRunConfig"
        )
    base = path.resolve().parent
    models, images = Models(draft, base), Images(draft, base)
    computes = [call for call in calls if call.owner in ("ComputeTarget.create", "ComputeTarget.attach")]
    targets = Targets(draft, computes)
    services = Services(draft, targets, options.location)
    registered = [
        models.register(call) for call in calls if call.owner in ("Model.register", "Run.register_model")
    ]
    for call in calls:
        if call.owner in _DEPLOYS:
            _deploy(call, draft, models, images, services)
        elif call.owner == "ParallelRunConfig":
            _parallel(call, draft, images, services, registered)
    targets.unused(options.location)


def _deploy(call: Call, draft: Draft, models: Models, images: Images, services: Services) -> None:
    given = call.get("models") if call.get("models") is not None else call.get("model_paths")
    listed = cast("list[Any]", given) if isinstance(given, list) else [given]
    if given is None or isinstance(given, Unknown):
        listed = [Unknown(given.text if isinstance(given, Unknown) else "models", call.where)]
    names = list(dict.fromkeys(models.reference(one, call.where) for one in listed))
    draft.note(Outcome.MAPPED, call.where, f"{call.owner}.models", "images.*.models")
    name = call.get("name")
    if not isinstance(name, str):
        draft.note(Outcome.DECIDE, call.where, f"{call.owner}.name", "services.*", "the service's name")
        name = names[0]
    config = call.get("inference_config") or call.get("image_config")
    image = images.add(config, names, _image_name(names, name), call.where)
    services.online(name, image, call.get("deployment_config"), call.get("deployment_target"), call.where)
    for field_name in ("overwrite", "show_output", "workspace"):
        if call.get(field_name) is not None:
            draft.apply(Call("Model.deploy", call.where, {field_name: True}), "manifest.yaml", {})


def _image_name(models: list[str], service: str) -> str:
    """An image with one model is called like it: services come and go."""
    return models[0] if len(models) == 1 else service


def _parallel(call: Call, draft: Draft, images: Images, services: Services, registered: list[str]) -> None:
    """v1 named a batch's model in the pipeline step's arguments; here it is part of the image."""
    script = call.get("entry_script")
    name = Path(script).stem if isinstance(script, str) else "batch"
    chosen = registered[:1] or ["model"]
    if len(registered) != 1:
        draft.put(
            "manifest.yaml", ("models", chosen[0], "source"), f"models/{chosen[0]}"
        ) if not registered else None
        why = "v1 passed the model's name to the script as an argument; which one is it?"
        draft.decide(call, "model", "manifest.yaml", ("models", chosen[0], "source"), why)
    image = images.add(call, chosen, name, call.where)
    services.batch(name if name != "score" else f"{chosen[0]}-batch", image, call)


# --- JSON files ------------------------------------------------------------------------------------------


def _documents(paths: Sequence[Path], draft: Draft, options: Options) -> None:
    inference: list[Call] = []
    deployment: list[Call] = []
    for path in paths:
        document = json_files.read_document(path, path.name)
        if json_files.is_deployment(document):
            deployment.append(json_files.read_deployment(document, path.name, draft.findings))
        elif json_files.is_inference(document):
            inference.append(json_files.read_inference(document, path.name, draft.findings))
        elif "dependencies" in document:
            raise MigrateError(f"{path.name}: a conda file; give it with --conda to get advice on it")
        else:
            raise MigrateError(
                f"{path.name}: neither an inference config (entryScript) nor a deployment config (computeType)"
            )
    if len(inference) != 1 or len(deployment) > 1:
        found = f"{len(inference)} and {len(deployment)}"
        raise MigrateError(
            f"one inference config and at most one deployment config are needed; given are {found}"
        )
    base = paths[0].resolve().parent
    models, images = Models(draft, base), Images(draft, base)
    targets = Targets(draft, [])
    services = Services(draft, targets, options.location)
    names = [models.reference(one, "--model") for one in options.models]
    if not names:
        raise MigrateError(
            "which models? give --model name:version or --model name:version=path, as `az ml model deploy -m`"
        )
    name = options.name or names[0]
    image = images.add(inference[0], names, _image_name(names, name), inference[0].where)
    config = deployment[0] if deployment else None
    if config is not None and options.tags:
        pairs = (tag.partition("=") for tag in options.tags)
        config.values["tags"] = {key: value for key, _, value in pairs}
    services.online(name, image, config, options.compute_target, config.where if config else "--name")
