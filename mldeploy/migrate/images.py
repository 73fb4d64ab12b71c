"""Images: `InferenceConfig`, `Environment` and their older and newer relatives."""

from __future__ import annotations

import io
import re
from pathlib import Path, PurePosixPath
from typing import Any, cast

from ruamel.yaml import YAML

from mldeploy.manifest.rules.undecided import PLACEHOLDER
from mldeploy.manifest.secret_forms import is_secret_name, secret_form
from mldeploy.migrate.draft import BASE, Draft, config_key
from mldeploy.migrate.findings import Outcome
from mldeploy.migrate.v1 import Call, Unknown, Variable

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


class Images:
    """The `images:` section; equal configurations share one entry."""

    def __init__(self, draft: Draft, base: Path) -> None:
        self._draft, self._base = draft, base
        self._made: dict[tuple[int, tuple[str, ...]], str] = {}

    def add(self, config: Any, models: list[str], wanted: str, where: str) -> str:
        """The entry of an inference config with these models."""
        key = (id(config), tuple(models))
        if key in self._made:
            return self._made[key]
        name = self._draft.free_name("images", re.sub(r"[._-]{2,}", "-", wanted.lower()).strip("-._"))
        self._made[key] = name
        self._draft.put(BASE, ("images", name, "models"), models)
        if not isinstance(config, Call):
            call = Call("Model.deploy", where, {"inference_config": config})
            self._draft.put(BASE, ("images", name, "source_directory"), f"entry_scripts/{PLACEHOLDER}")
            self._draft.put(BASE, ("images", name, "entry_script"), "score.py")
            self._draft.decide(
                call,
                "inference_config",
                BASE,
                ("images", name, "source_directory"),
                "v1 deployed without an entry script (or only running the script tells which): write one, or name it",
            )
            return name
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
        return name

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
        return found

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

    def _base_image(self, config: Call, name: str, image: str, field: str) -> None:
        path = ("images", name, "base_image")
        reference = re.sub(r"^https?://", "", image)
        self._draft.put(BASE, path, reference)
        self._draft.note(Outcome.MAPPED, config.where, f"{config.owner}.{field}", ".".join(path))
        if reference.startswith("mcr.microsoft.com/azureml/") and re.search(
            r"py3[678]|ubuntu1[68]|:2020|:2019", reference
        ):
            self._draft.decide(
                config,
                field,
                BASE,
                path,
                "an image of an unsupported Python: remove the line for the default, or name a current one, "
                "mcr.microsoft.com/azureml/minimal-py312-inference",
            )

    def _registry(self, registry: Any, name: str) -> None:
        if not isinstance(registry, Call):
            return
        path = ("images", name, "base_image_registry")
        self._draft.apply(
            registry, BASE, {"images": name}, handled=frozenset({"password"}), owner="ContainerRegistry"
        )
        if registry.get("password") is not None:
            self._draft.secret(
                registry,
                "password",
                BASE,
                (*path, "password"),
                config_key(name, "registryPassword"),
                f"the password of the registry of image {name}",
            )

    # --- packages ----------------------------------------------------------------------------------------

    def _conda(self, config: Call, value: Any, name: str, folder: str, field: str) -> None:
        path = ("images", name, "conda_file")
        if value is None:
            return
        if isinstance(value, Call | dict):
            self._write_conda(config, cast("Any", value), name, folder, field)
            return
        if not isinstance(value, str):
            self._draft.decide(config, field, BASE, path, "which conda file?")
            return
        if (self._draft.root / folder / value).is_file():
            found: str | None = PurePosixPath(value).as_posix()
        else:
            whole = self._draft.relative(value, config, self._base)
            found = _inside(whole, folder) if whole else None
            if found is None and whole is not None and (self._draft.root / whole).is_file():
                # v1 read it from the working directory; here it is part of what the image is made of.
                text = (self._draft.root / whole).read_text("utf-8")
                found = self._free_file(folder, PurePosixPath(whole).name)
                self._draft.written[_in(folder, found)] = text
                why = f"copied from {whole}, because a conda file is in source_directory"
                self._draft.put(BASE, path, found)
                self._draft.note(
                    Outcome.CHANGED, config.where, f"{config.owner}.{field}", ".".join(path), why
                )
                return
        self._draft.put(BASE, path, found or value)
        self._draft.note(Outcome.MAPPED, config.where, f"{config.owner}.{field}", ".".join(path))

    def _write_conda(
        self, config: Call, value: Call | dict[str, Any], name: str, folder: str, field: str
    ) -> None:
        """Packages that were listed in code or JSON, as a conda file."""
        document = _conda_document(value)
        if isinstance(document, str):
            self._conda(config, document, name, folder, field)
            return
        stream = io.StringIO()
        yaml: Any = YAML()
        yaml.indent(mapping=2, sequence=4, offset=2)
        yaml.dump(document, stream)
        found = self._free_file(folder, "conda.yml")
        self._draft.written[_in(folder, found)] = stream.getvalue()
        path = ("images", name, "conda_file")
        self._draft.put(BASE, path, found)
        why = f"its packages are written to {_in(folder, found)}"
        self._draft.note(Outcome.CHANGED, config.where, f"{config.owner}.{field}", ".".join(path), why)

    def _free_file(self, folder: str, name: str) -> str:
        stem, number, found = PurePosixPath(name).stem, 2, name
        while (self._draft.root / folder / found).exists() or _in(folder, found) in self._draft.written:
            found, number = f"{stem}-{number}.yml", number + 1
        return found

    # --- environment -------------------------------------------------------------------------------------

    def _environment(self, config: Call, environment: Any, name: str, folder: str) -> None:
        if not isinstance(environment, Call) or environment.owner == "Environment.get":
            self._registered_environment(config, environment, name)
            return
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
            inside = _inside(whole, folder) if whole else None
            listed = ["-r " + inside] if inside else _requirement_lines(self._draft.root / (whole or pip))
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

    def _variables(self, config: Call, value: Any, name: str) -> None:
        if not isinstance(value, dict):
            return
        for key, item in cast("dict[str, Any]", value).items():
            path = ("images", name, "environment_variables", key)
            if key.upper().startswith(("AZUREML_MODEL_DIR", "SERVING_")):
                why = "the scoring server sets it itself"
                self._draft.note(Outcome.DROPPED, config.where, f"environment_variables[{key}]", "", why)
            elif isinstance(item, Variable) or is_secret_name(key) or secret_form(str(item)):
                holder = Call(config.owner, config.where, {f"environment_variables[{key}]": item})
                self._draft.secret(
                    holder,
                    f"environment_variables[{key}]",
                    BASE,
                    path,
                    config_key(name, key),
                    f"the variable {key}",
                )
            elif isinstance(item, Unknown):
                self._draft.decide(
                    config, f"environment_variables[{key}]", BASE, path, f"the value is `{item.text}`"
                )
            else:
                self._draft.put(BASE, path, str(item).lower() if isinstance(item, bool) else str(item))
                self._draft.note(
                    Outcome.MAPPED, config.where, f"environment_variables[{key}]", ".".join(path)
                )


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


def _conda_document(value: Call | dict[str, Any]) -> dict[str, Any] | str:
    """The content of a conda file, or the path of one."""
    if isinstance(value, dict):
        return value
    file = value.get("conda_dependencies_file_path")
    if isinstance(file, str):
        return file
    python = value.get("python_version")
    conda, pip = _texts(value.get("conda_packages")), _texts(value.get("pip_packages"))
    dependencies: list[Any] = ([f"python={python}"] if isinstance(python, str) else []) + conda
    if pip:
        dependencies.append({"pip": pip})
    return {"dependencies": dependencies}


def _texts(value: Any) -> list[str]:
    return (
        [one for one in cast("list[Any]", value) if isinstance(one, str)] if isinstance(value, list) else []
    )


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


def _inside(path: str, folder: str) -> str | None:
    pure = PurePosixPath(path)
    if folder == ".":
        return pure.as_posix()
    return pure.relative_to(folder).as_posix() if pure.is_relative_to(folder) else None


def _filled(value: Any) -> bool:
    """Whether there is anything in it: JSON files are full of empty sections."""
    if isinstance(value, dict):
        return any(_filled(item) for item in cast("dict[str, Any]", value).values())
    if isinstance(value, list):
        return any(_filled(item) for item in cast("list[Any]", value))
    return value not in (None, "", False, True)


def _in(folder: str, name: str) -> str:
    """A file's path from the project."""
    return PurePosixPath(folder, name).as_posix()
