"""Images: `InferenceConfig`, `Environment` and their older and newer relatives."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any, Final, cast

from mldeploy.manifest.rules.undecided import PLACEHOLDER
from mldeploy.manifest.secret_forms import secret_form
from mldeploy.migrate.draft import BASE, Draft
from mldeploy.migrate.findings import Outcome
from mldeploy.migrate.packages import Packages, in_folder, inside
from mldeploy.migrate.reading import State
from mldeploy.migrate.values import Call, Unknown, Variable, each, only_outside

_HANDLED = frozenset(
    {
        "entry_script",
        "execution_script",
        "source_directory",
        "conda_file",
        "environment",
        "base_image_registry",
        "runtime",
        "base_image",
        "environment_variables",
    }
)
_CURATED = "AzureML-"
NO_CODE: Final = {"scikitlearn": "sklearn", "onnx": "onnx", "mlflow": "mlflow"}
"""v1's frameworks (small letters) that a runtime of the manifest serves without an entry script."""


class Images(Packages):
    """The `images:` section; equal configurations share one entry."""

    def __init__(self, draft: Draft, state: State) -> None:
        super().__init__(draft, state)
        self._made: dict[tuple[int, tuple[str, ...]], str] = {}
        self._kept: list[Any] = []

    def add(self, config: Any, models: list[str], wanted: str, where: str, owner: str) -> str:
        """The entry of an inference config with these models."""
        config = next((one for one in each(config) if isinstance(one, Call)), each(config)[0])
        key = (id(config), tuple(models))
        if config is not None and key in self._made:
            return self._made[key]
        name = self._draft.free_name("images", _image_name(wanted))
        self._made[key] = name
        self._kept.append(config)
        self._draft.put(BASE, ("images", name, "models"), models)
        if not isinstance(config, Call) or config.owner == "Image":
            self._without_script(config, name, models, Call(owner, where))
            return name
        self._draft.settle(config, f"images.{name}")
        folder = self._script(config, name)
        self._runtime(config, name)
        base_image = config.get("base_image")
        if isinstance(base_image, str):
            self._base_image(config, name, base_image, "base_image")
        self._registry(config.get("base_image_registry"), name)
        self._conda(config, config.get("conda_file"), name, folder, "conda_file")
        self._variables(config, config.get("environment_variables"), name)
        self._draft.apply(
            config, BASE, {"images": name, "services": wanted}, handled=_HANDLED | _not_images(config)
        )
        environment = config.get("environment")
        if environment is not None:
            self._environment(config, environment, name, folder)
        self._beside(config, folder)
        return name

    def _without_script(self, config: Any, name: str, models: list[str], call: Call) -> None:
        """v1 took the model's framework for it, or only running the script tells which configuration it was."""
        path = ("images", name, "source_directory")
        entry = self._draft.files.get(BASE, {}).get("models", {}).get(models[0], {})
        framework = str(entry.get("model_framework", "MLflow" if call.owner.startswith("mlflow") else ""))
        runtime = NO_CODE.get(framework.lower())
        here = not str(entry.get("source", "")).startswith("azureml:")
        if config is None and runtime is not None and len(models) == 1 and here:
            self._draft.put(BASE, ("images", name, "runtime"), runtime)
            why = f"v1 made the script for {framework} itself; the runtime does"
            self._draft.note(
                Outcome.CHANGED, call.where, f"{call.owner}.inference_config", f"images.{name}.runtime", why
            )
            if str(entry.get("source", "")).startswith("runs:/"):
                why = "what the model needs is read from the run: set MLFLOW_TRACKING_URI to the server that has it"
                place = ("models", models[0], "source")
                self._draft.decide(call, "model_uri", BASE, place, why)
            return
        self._draft.put(BASE, path, f"entry_scripts/{PLACEHOLDER}")
        self._draft.put(BASE, ("images", name, "entry_script"), "score.py")
        if config is None:
            kind = f"{framework} models" if framework else "models of a known framework"
            why = f"v1 scored {kind} without an entry script: write one with init() and run(), and name its folder"
            self._draft.decide(call, "inference_config", BASE, path, why)
        elif isinstance(config, Call):
            why = f"{config.get('name')} of v1's registry: name the folder and script that it was built from"
            self._draft.decide(call, "image", BASE, path, why)
        else:
            text = f": `{config.text}`" if isinstance(config, Unknown) else ""
            why = f"only running the script tells which configuration{text}: name its folder and script"
            outcome = Outcome.DECIDE if only_outside(config) else Outcome.UNREAD
            self._draft.decide(call, "inference_config", BASE, path, why, outcome)

    # --- script ------------------------------------------------------------------------------------------

    def _script(self, config: Call, name: str) -> str:
        """Set `source_directory` and `entry_script`; return the former."""
        key = "execution_script" if config.owner.startswith("ContainerImage") else "entry_script"
        script, folder = config.get(key), config.get("source_directory")
        if not isinstance(script, str):
            script = "score.py"
            self._draft.decide(config, key, BASE, ("images", name, "entry_script"), "which script?")
        else:
            self._draft.note(
                Outcome.MAPPED, config.where, f"{config.owner}.{key}", f"images.{name}.entry_script"
            )
        script = script.replace("\\", "/")
        found = self._draft.relative(folder, config, self._base) if isinstance(folder, str) else None
        if isinstance(folder, Unknown | Variable):
            self._draft.decide(
                config,
                "source_directory",
                BASE,
                ("images", name, "source_directory"),
                "the folder is not known without running the script",
            )
        if found is not None:
            self._draft.note(
                Outcome.MAPPED,
                config.where,
                f"{config.owner}.source_directory",
                f"images.{name}.source_directory",
            )
            script = _below(script, folder)
        else:
            whole = self._draft.relative(script, config, self._base) or script
            found, script = PurePosixPath(whole).parent.as_posix(), PurePosixPath(whole).name
            self._alone(config, name, found)
        self._draft.put(BASE, ("images", name, "source_directory"), found)
        self._draft.put(BASE, ("images", name, "entry_script"), script)
        self._written_script(config, in_folder(found, script), key)
        return found

    def _written_script(self, config: Call, path: str, key: str) -> None:
        """A script that a notebook's cell writes: it is written where it is not there yet."""
        if (self._draft.root / path).exists() or path in self._draft.written:
            return
        text = self._written_texts().get(path)
        what, to = f"{config.owner}.{key}", path
        if text is not None and secret_form(text) is None:
            self._draft.written[path] = text
            self._draft.note(Outcome.CHANGED, config.where, what, to, "written from the cell that wrote it")
        elif text is not None:
            why = "a cell writes it, and what it writes looks like a secret: write it without"
            self._draft.note(Outcome.DECIDE, config.where, what, to, why)
        elif PurePosixPath(path).name in {PurePosixPath(one).name for one in self._state.downloads}:
            why = "v1 downloaded it from the run's outputs: get it there and put it at this path"
            self._draft.note(Outcome.DECIDE, config.where, what, to, why)

    def _written_texts(self) -> dict[str, str]:
        """The files that the script's cells write, by path in the project."""
        root = self._draft.root.resolve()
        base = self._base.relative_to(root) if self._base.is_relative_to(root) else Path()
        return {
            (base / name).as_posix(): text
            for name, text in self._state.written.items()
            if isinstance(text, str)
        }

    def _beside(self, config: Call, folder: str) -> None:
        """What else the cells write into the source folder is part of it: data and modules of the script."""
        for path, text in self._written_texts().items():
            within = inside(path, folder)
            if (
                within is None
                or folder == "."
                or path in self._draft.written
                or (self._draft.root / path).exists()
            ):
                continue
            what, to = f"{config.owner}.source_directory", path
            if secret_form(text) is None:
                self._draft.written[path] = text
                self._draft.note(
                    Outcome.CHANGED, config.where, what, to, "written from the cell that wrote it"
                )
            else:
                why = "a cell writes it, and what it writes looks like a secret: write it without"
                self._draft.note(Outcome.DECIDE, config.where, what, to, why)

    def _alone(self, config: Call, name: str, folder: str) -> None:
        why = f"v1 took the script alone; here everything in its folder, {folder!r}, goes into the image"
        if folder == ".":
            why += ": that is the whole project, so better move the script into a folder of its own"
        self._draft.note(
            Outcome.CHANGED,
            config.where,
            f"{config.owner}.source_directory",
            f"images.{name}.source_directory",
            why,
        )

    def _runtime(self, config: Call, name: str) -> None:
        runtime = config.get("runtime")
        if not isinstance(runtime, str):
            return
        if runtime == "python":
            self._draft.put(BASE, ("images", name, "runtime"), runtime)
            self._draft.note(
                Outcome.MAPPED, config.where, f"{config.owner}.runtime", f"images.{name}.runtime"
            )
        else:
            spark = (
                "no target has Spark; a script that needs it starts it in init(), on a base image that has it"
            )
            slim = "entry scripts are Python; v1's slim runtimes are the default here"
            why = f"{runtime!r}: {spark if runtime == 'spark-py' else slim}"
            self._draft.note(Outcome.DROPPED, config.where, f"{config.owner}.runtime", "", why)

    # --- environment -------------------------------------------------------------------------------------

    def _environment(self, config: Call, environment: Any, name: str, folder: str) -> None:
        environment = next((one for one in each(environment) if isinstance(one, Call)), environment)
        if not isinstance(environment, Call) or environment.owner == "Environment.get":
            self._registered_environment(config, environment, name)
            return
        self._draft.settle(environment, f"images.{name}")
        values = environment.values
        if environment.owner != "Environment":
            # from_conda_specification, from_pip_requirements, from_docker_image
            self._from(environment, name, folder)
        image = values.get("docker.base_image")
        if isinstance(image, str) and image:
            self._base_image(environment, name, image, "docker.base_image")
        self._registry(_registry_of(environment), name)
        managed = values.get("python.user_managed_dependencies") in (True, "true")
        if managed:
            self._draft.note(
                Outcome.CHANGED,
                environment.where,
                "Environment.python.user_managed_dependencies",
                f"images.{name}.conda_file",
                "the base image brings the packages: no conda_file",
            )
        else:
            for key in ("python.conda_dependencies", "python.conda_dependencies_file"):
                self._conda(environment, values.get(key), name, folder, key)
        self._variables(environment, values.get("environment_variables"), name)
        handled = {key for key in values if key.startswith("docker.base_image")}
        handled |= {
            f"python.{key}"
            for key in ("conda_dependencies", "conda_dependencies_file", "user_managed_dependencies")
        }
        handled |= {
            "environment_variables",
            "file_path",
            "image",
            "container_registry",
            "pip_requirements",
            "conda_specification",
            "pip_version",
            "workspace",
        }
        empty = {key for key in ("spark", "r", "databricks") if not _filled(values.get(key))}
        self._draft.apply(
            environment, BASE, {"images": name}, frozenset(handled | empty), owner="Environment"
        )

    def _from(self, environment: Call, name: str, folder: str) -> None:
        get = environment.get
        conda = (
            get("file_path")
            if environment.owner.endswith("conda_specification")
            else get("conda_specification")
        )
        self._conda(environment, conda, name, folder, "file_path")
        pip = get("file_path") if environment.owner.endswith("pip_requirements") else get("pip_requirements")
        if isinstance(pip, str):
            whole = self._draft.relative(pip, environment, self._base)
            within = inside(whole, folder) if whole else None
            listed = ["-r " + within] if within else _requirement_lines(self._draft.root / (whole or pip))
            self._write_conda(environment, {"dependencies": [{"pip": listed}]}, name, folder, "file_path")
        if isinstance(get("image"), str):
            self._base_image(environment, name, get("image"), "image")
        self._registry(get("container_registry"), name)

    def _registered_environment(self, config: Call, environment: Any, name: str) -> None:
        given = environment.get("name") if isinstance(environment, Call) else None
        kind = (
            "a curated environment of v1"
            if str(given).startswith(_CURATED)
            else "an environment of v1's registry"
        )
        text = f" {given!r}" if isinstance(given, str) else ""
        self._draft.decide(
            config,
            "environment",
            BASE,
            ("images", name, "conda_file"),
            f"the packages of{text}, {kind}: write them into a conda file (its image is not needed)",
        )


def _image_name(wanted: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", re.sub(r"[._-]{2,}", "-", wanted.lower())).strip("-._") or "image"


def _not_images(config: Call) -> frozenset[str]:
    """The parameters of a `ParallelRunConfig` that are the service's."""
    if config.owner != "ParallelRunConfig":
        return frozenset()
    return frozenset(config.values) - {"environment_variables"}


def _registry_of(environment: Call) -> Any:
    """A registry, whether assigned as an object or attribute by attribute."""
    whole = environment.get("docker.base_image_registry")
    if isinstance(whole, Call):
        return whole
    prefix = "docker.base_image_registry."
    parts = {
        key.removeprefix(prefix): value for key, value in environment.values.items() if key.startswith(prefix)
    }
    return Call("ContainerRegistry", environment.where, parts) if parts else None


def _requirement_lines(file: Path) -> list[str]:
    if not file.is_file():
        return [f"-r {file.name}"]
    lines = (line.strip() for line in file.read_text("utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _below(script: str, folder: Any) -> str:
    """The script relative to its folder, also when it was written with the folder."""
    prefix = str(folder).replace("\\", "/").removeprefix("./").rstrip("/") + "/"
    text = script.removeprefix("./")
    return text.removeprefix(prefix) if prefix != "./" else text


def _filled(value: Any) -> bool:
    """Whether there is anything in it: JSON files are full of empty sections."""
    if isinstance(value, dict):
        return any(_filled(item) for item in cast("dict[str, Any]", value).values())
    if isinstance(value, list):
        return any(_filled(item) for item in cast("list[Any]", value))
    return value not in (None, "", False, True)
