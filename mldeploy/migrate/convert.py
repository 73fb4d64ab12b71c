"""From v1 files to a draft of the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mldeploy import targets as registry
from mldeploy.manifest.kinds import kind
from mldeploy.manifest.vm_sizes import is_fpga
from mldeploy.migrate import json_files
from mldeploy.migrate.account import sites
from mldeploy.migrate.accounting import account_for, reachable
from mldeploy.migrate.conda import Advice
from mldeploy.migrate.draft import Draft
from mldeploy.migrate.findings import Finding, MigrateError, Outcome
from mldeploy.migrate.images import Images
from mldeploy.migrate.models import Models
from mldeploy.migrate.plan import Plan, Planned, listed, stack_of
from mldeploy.migrate.reading import State
from mldeploy.migrate.rows_services import FPGA
from mldeploy.migrate.running import advise_imported
from mldeploy.migrate.scripts import cells_of, read_script
from mldeploy.migrate.services import Services, service_name
from mldeploy.migrate.table import by_name
from mldeploy.migrate.targets import LOCAL, Targets
from mldeploy.migrate.v1 import COMPUTES, IMAGES, REGISTERS
from mldeploy.migrate.values import Call, Unknown, each
from mldeploy.migrate.write import render

_SCRIPTS = (".py", ".ipynb", ".sh")
_DOCUMENTS = (".json", ".yml", ".yaml")
_LARGEST = 1 << 20
"""Larger JSON files are models."""


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
    advice: tuple[Advice, ...] = ()
    """What keeps the scripts and models from running as they are."""

    @property
    def stacks(self) -> list[str]:
        """The stacks that there is a file for."""
        return sorted(name.split(".")[1] for name in self.files if name.count(".") == 2)

    def by_outcome(self, outcome: Outcome) -> list[Finding]:
        """The findings of one kind."""
        return [finding for finding in self.findings if finding.outcome is outcome]


def deploys(path: Path) -> bool:
    """Whether a file is one of v1's: a script that registers or deploys, or one of the CLI's JSON files."""
    try:
        if path.suffix in _SCRIPTS:
            return bool(sites(path))
        if path.suffix != ".json" or path.stat().st_size > _LARGEST:
            return False
        document = json_files.read_document(path, path.name)
    except MigrateError:
        return False
    return json_files.is_deployment(document) or json_files.is_inference(document)


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
    _builders(draft.files)
    ordered = {name: _ordered(draft.files[name]) for name in sorted(draft.files)}
    return Migration(
        files={name: render(name, document, draft.comments) for name, document in ordered.items()},
        written=draft.written,
        findings=tuple(draft.findings),
        secrets=draft.secrets,
        documents=ordered,
        advice=advise_imported(ordered, draft.written, options.root),
    )


def _builders(files: dict[str, dict[str, Any]]) -> None:
    """Stacks on Azure whose base images need a login: there the stack's registry builds, as it did in v1."""
    images: dict[str, Any] = files["manifest.yaml"].get("images", {})
    if not any("base_image_registry" in image for image in images.values()):
        return
    for document in files.values():
        types = [target.get("type") for target in document.get("targets", {}).values()]
        if any(kind(one).on_azure for one in types if one in registry.names()):
            document.setdefault("azure", {})["builder"] = "acr"


def _ordered(document: dict[str, Any]) -> dict[str, Any]:
    """Sections in the order of the documentation."""
    order = ("version", "azure", "models", "images", "targets", "services")
    return {key: document[key] for key in order if key in document}


# --- scripts ---------------------------------------------------------------------------------------------


def _script(path: Path, draft: Draft, options: Options) -> None:
    state = read_script(path, path.name, options.root)
    account = sites(path)
    if not state.stated and not account:
        raise MigrateError(_nothing(path))
    models, images = Models(draft, state), Images(draft, state)
    fpga = _without_fpga(state.stated, draft)
    targets = Targets(draft, [call for call in state.stated if call.owner in COMPUTES and call not in fpga])
    services = Services(draft, targets, options.location)
    for call in state.stated:
        if call.owner in REGISTERS and call not in fpga:
            models.register(call)
    plan = Plan(draft)
    plan.read([call for call in state.stated if call not in fpga])
    # What the script itself ran locally says most about the local stack.
    for planned in sorted(plan.services, key=lambda one: stack_of(one) != LOCAL):
        _deploy(planned, draft, models, images, services)
    _batches(state.stated, draft, models, images, services)
    _images([call for call in state.stated if call not in fpga], plan, draft, (models, images))
    targets.unused(options.location)
    _removed(state.stated, draft)
    account_for(state, account, path, draft, fpga)
    if fpga and not plan.services and not draft.files:
        raise MigrateError(f"{path.name}: {FPGA}")


def _nothing(path: Path) -> str:
    skipped = [(cell, line) for cell in cells_of(path, path.name) for line in cell.skipped]
    if skipped and path.suffix == ".py":
        cell, (number, text) = skipped[0]
        return f"{cell.where(number)}: no Python: {text[:60]}"
    return (
        f"{path.name}: nothing in it registers or deploys a model; looked for Model.register, Model.deploy, "
        "ComputeTarget.create/attach, ParallelRunConfig"
    )


def _without_fpga(stated: list[Call], draft: Draft) -> list[Call]:
    """The calls that are about FPGAs, which nothing here or at Azure runs any more."""
    found = [call for call in stated if any(one.owner == "FPGA" or _has_fpga(one) for one in reachable(call))]
    for call in found:
        draft.note(Outcome.DROPPED, call.where, call.owner, "", FPGA)
    return found


def _has_fpga(call: Call) -> bool:
    size = call.get("vm_size")
    return isinstance(size, str) and is_fpga(size)


def _deploy(planned: Planned, draft: Draft, models: Models, images: Images, services: Services) -> None:
    call = planned.call
    given = planned.models
    if given is None or isinstance(given, Unknown) or given == []:
        given = [Unknown(given.text if isinstance(given, Unknown) else "models", call.where)]
    names = list(
        dict.fromkeys(models.reference(one, call.where) for each_of in each(given) for one in listed(each_of))
    )
    draft.note(Outcome.MAPPED, call.where, f"{call.owner}.models", "images.*.models")
    name = service_name(planned, names, draft)
    image = images.add(
        planned.inference, names, names[0] if len(names) == 1 else name, call.where, call.owner
    )
    services.online(name, image, planned, models.sizes(names))
    for key in ("inference_config", "image_config", "image", "deployment_config", "deployment_target"):
        if call.get(key) is not None:
            draft.note(Outcome.MAPPED, call.where, f"{call.owner}.{key}", _PLACES.get(key, "images.*"))
    for key in ("overwrite", "show_output", "workspace"):
        if call.get(key) is not None:
            row = by_name("Model.deploy", key)
            draft.note(Outcome.DROPPED, call.where, f"{call.owner}.{key}", "", row.why if row else "")


_PLACES = {"deployment_config": "services.*", "deployment_target": "services.*.target"}


def _batches(stated: list[Call], draft: Draft, models: Models, images: Images, services: Services) -> None:
    steps = [call for call in stated if call.owner == "ParallelRunStep"]
    registered = [models.register(call) for call in stated if call.owner in REGISTERS]
    for call in stated:
        if call.owner == "ParallelRunConfig":
            step = next((one for one in steps if call in each(one.get("parallel_run_config"))), None)
            _parallel(call, step, draft, (models, images, services), registered)


def _parallel(
    call: Call, step: Call | None, draft: Draft, made: tuple[Models, Images, Services], registered: list[str]
) -> None:
    """v1 named a batch's model in the pipeline step's arguments; here it is part of the image."""
    models, images, services = made
    script = call.get("entry_script")
    name = Path(script).stem if isinstance(script, str) else "batch"
    chosen = models.of_step(step) if step is not None else []
    if not chosen:
        chosen = list(dict.fromkeys(registered))[:1] or ["model"]
        if len(registered) != 1:
            path = ("models", chosen[0], "source")
            if not registered:
                draft.put("manifest.yaml", path, f"models/{chosen[0]}")
            why = "v1 passed the model's name to the script as an argument; which one is it?"
            draft.decide(call, "model", "manifest.yaml", path, why)
    for other in chosen[1:]:
        why = "a batch deployment has one model; put the files of both into one folder, or name the one it needs"
        draft.decide(call, "models", "manifest.yaml", ("models", other, "source"), why)
    image = images.add(call, chosen[:1], name, call.where, call.owner)
    wanted = name if name != "score" else f"{chosen[0]}-batch"
    service = services.batch(wanted, image, call)
    if step is not None:
        why = "what the step scores is given when the batch is started: `mldeploy batch`, or the endpoint's invoke"
        draft.note(Outcome.CHANGED, step.where, step.owner, f"services.{service}", why)


def _images(stated: list[Call], plan: Plan, draft: Draft, made: tuple[Models, Images]) -> None:
    """Images that were built and that nothing deploys: for IoT Edge, or for another script."""
    models, images = made
    used = {id(one) for planned in plan.services for one in each(planned.inference)}
    for call in stated:
        config = call.get("image_config") or call.get("inference_config")
        given = call.get("models")
        if (
            call.owner not in IMAGES
            or call.owner.startswith("mlflow")
            or not isinstance(config, Call)
            or not given
        ):
            continue
        if any(id(one) in used for one in each(config)):
            continue
        names = [models.reference(one, call.where) for one in listed(given)]
        wanted = call.get("name") or call.get("image_name")
        name = images.add(
            config, names, wanted if isinstance(wanted, str) else names[0], call.where, call.owner
        )
        why = "an image that nothing here deploys, for IoT Edge or another script: a service has to name it"
        draft.note(Outcome.CHANGED, call.where, call.owner, f"images.{name}", why)


def _removed(stated: list[Call], draft: Draft) -> None:
    for call in stated:
        row = by_name("calls", call.owner)
        if row is not None:
            draft.note(row.outcome, call.where, call.owner, row.to, row.why)


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
    state = State(base, options.root)
    models, images = Models(draft, state), Images(draft, state)
    targets = Targets(draft, [])
    services = Services(draft, targets, options.location)
    names = [models.reference(one, "--model") for one in options.models]
    if not names:
        raise MigrateError(
            "which models? give --model name:version or --model name:version=path, as `az ml model deploy -m`"
        )
    name = options.name or names[0]
    image = images.add(
        inference[0], names, names[0] if len(names) == 1 else name, inference[0].where, "Model.deploy"
    )
    config = deployment[0] if deployment else None
    if config is not None and options.tags:
        pairs = (tag.partition("=") for tag in options.tags)
        config.values["tags"] = {key: value for key, _, value in pairs}
    call = Call("Model.deploy", config.where if config else "--name")
    planned = Planned(call, name, deployment=config, target=options.compute_target)
    services.online(service_name(planned, names, draft), image, planned, {})
