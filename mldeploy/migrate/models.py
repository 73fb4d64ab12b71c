"""Models: what was registered, and what a deployment only referred to."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from mldeploy.manifest.rules.undecided import PLACEHOLDER
from mldeploy.migrate.draft import BASE, TO_DECIDE, Draft
from mldeploy.migrate.findings import Outcome
from mldeploy.migrate.reading import State
from mldeploy.migrate.values import Call, Unknown, Variable, each

_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
_FLAG = re.compile(r"--?model([_-]?name|[_-]?id)?")


class Models:
    """The `models:` section; every v1 model becomes one entry."""

    def __init__(self, draft: Draft, state: State) -> None:
        self._draft, self._state, self._base = draft, state, state.base
        self._sizes: dict[str, dict[str, Any]] = {}
        self._names: dict[int, str] = {}
        self._kept: list[Call] = []

    def register(self, call: Call) -> str:
        """The entry of `Model.register` or `Run.register_model`."""
        if id(call) in self._names:
            return self._names[id(call)]
        self._draft.settle(call, "models.*")
        given = call.get("model_name")
        name = _model_name(given) if isinstance(given, str) else None
        if name is None:
            name = self._draft.free_name("models", "model")
            self._draft.decide(
                call, "model_name", BASE, ("models", name), _unknown(given, "the model's name")
            )
        else:
            self._draft.note(Outcome.MAPPED, call.where, f"{call.owner}.model_name", f"models.{name}")
        taken = self._draft.files.get(BASE, {}).get("models", {})
        if name not in taken and name.lower() in (one.lower() for one in taken):
            name = self._draft.free_name("models", f"{name}-2")
            why = "differs from another model's name only by case"
            self._draft.note(Outcome.CHANGED, call.where, f"{call.owner}.model_name", f"models.{name}", why)
        self._remember(call, name)
        self._source(call, name)
        self._draft.apply(
            call,
            BASE,
            {"models": name, "services": name},
            handled=frozenset({"model_name", "model_path", "run_id", "resource_configuration"}),
        )
        sizes = call.get("resource_configuration")
        if isinstance(sizes, Call):
            self._sizes[name] = {"cpu_cores": sizes.get("cpu"), "memory_gb": sizes.get("memory_in_gb")}
        if sizes is not None:
            self._draft.note(
                Outcome.CHANGED,
                call.where,
                f"{call.owner}.resource_configuration",
                "services.*.cpu_cores",
                "CPU, memory and GPU are the service's, not the model's; set them there when no deployment config did",
            )
        return name

    def sizes(self, names: list[str]) -> dict[str, Any]:
        """The sizes that v1 took from models when no deployment configuration said any."""
        return next((self._sizes[name] for name in names if name in self._sizes), dict[str, Any]())

    def of_step(self, step: Call) -> list[str]:
        """The models that a pipeline step names: its `models`, or the argument after `--model_name`."""
        given = step.get("models")
        if isinstance(given, list):
            return [self.reference(one, step.where) for one in cast("list[Any]", given)]
        arguments = step.get("arguments")
        words = cast("list[Any]", arguments) if isinstance(arguments, list) else []
        for flag, value in pairwise(words):
            if isinstance(flag, str) and _FLAG.fullmatch(flag) and isinstance(value, str | Call):
                call = value if isinstance(value, Call) else Call("Model", step.where, {"name": value})
                return [self.reference(call, step.where)]
        return []

    def _source(self, call: Call, name: str) -> None:
        path = ("models", name, "source")
        value = call.get("model_path")
        if call.owner == "Run.register_model":
            self._run_output(call, name, value)
            return
        if isinstance(value, str) and not value.startswith(("azureml:", "http")):
            found = self._draft.relative(value, call, self._base)
            if found is not None:
                self._draft.put(BASE, path, found)
                self._draft.note(Outcome.MAPPED, call.where, f"{call.owner}.model_path", ".".join(path))
                return
        self._draft.put(BASE, path, f"models/{name}")
        self._draft.decide(
            call,
            "model_path",
            BASE,
            path,
            _unknown(value, "where the model's file or folder is in the project"),
        )

    def _run_output(self, call: Call, name: str, value: Any) -> None:
        """A model of a run's outputs; without a path v1 took all of them."""
        path = ("models", name, "source")
        run = call.get("run_id")
        output = value if isinstance(value, str) else "outputs"
        known = run if isinstance(run, str) else PLACEHOLDER
        source = f"azureml://jobs/{known}/outputs/artifacts/{output.strip('/')}"
        self._draft.put(BASE, path, source)
        if isinstance(run, str):
            self._draft.note(
                Outcome.CHANGED,
                call.where,
                f"{call.owner}.model_path",
                ".".join(path),
                "an output of the run; Azure targets read it, for a local one download it and name the file",
            )
        elif self._dumped(output) is not None:
            local = self._dumped(output)
            self._draft.put(BASE, path, local)
            why = f"the script writes {local} before it registers it from the run; check that it is that file"
            self._draft.note(Outcome.CHANGED, call.where, f"{call.owner}.model_path", ".".join(path), why)
        else:
            self._draft.decide(
                call,
                "model_path",
                BASE,
                path,
                f"which run? Write its id for {PLACEHOLDER}, or `runs:/<run id>/{output}` of MLflow, or a path",
            )

    def _dumped(self, output: str) -> str | None:
        """The local file that the script wrote the model to, or uploaded to the run."""
        wanted = Path(output).name
        for one in self._state.dumped:
            if Path(one).name == wanted or (Path(one) / wanted).name == one:
                holder = Call("Run.register_model", "")
                return self._draft.relative(one, holder, self._base)
        return None

    def reference(self, value: Any, where: str) -> str:
        """The entry of a model that a deployment names: an object, `name:version`, `name:version=path` or a path."""
        value = next((one for one in each(value) if isinstance(one, Call)), each(value)[0])
        if isinstance(value, Call) and value.owner in ("Model.register", "Run.register_model"):
            return self.register(value)
        if isinstance(value, Call) and value.owner == "MLflow model":
            return self._mlflow(value)
        if isinstance(value, Call):
            return self._registered(value)
        if isinstance(value, str):
            return self._text(value, where)
        call = Call("Model", where, {"name": value})
        return self._registered(call)

    def _registered(self, call: Call) -> str:
        """A model that v1's registry has: its files are needed here."""
        if id(call) in self._names:
            return self._names[id(call)]
        given = call.get("name")
        version: Any = call.get("version")
        identifier = call.get("id")
        if isinstance(identifier, str):
            given, _, version = identifier.partition(":")
        name = _model_name(given) if isinstance(given, str) else self._draft.free_name("models", "model")
        there = self._draft.files.get(BASE, {}).get("models", {})
        name = next((one for one in there if one.lower() == name.lower()), name)
        self._remember(call, name)
        if name in there:
            return name
        path = ("models", name, "source")
        self._draft.put(BASE, path, f"models/{name}")
        which = (
            f" version {version}" if version not in (None, "") and not isinstance(version, Unknown) else ""
        )
        why = f"get the files of the registered model{which} (`az ml model download`, or Model.download) and name them"
        if not isinstance(given, str):
            why = _unknown(given, "which registered model") + "; get its files and name them"
        self._draft.decide(call, "name", BASE, path, why)
        return name

    def _mlflow(self, call: Call) -> str:
        """A model that MLflow logged: `runs:/<run id>/<path>`, or its folder."""
        if id(call) in self._names:
            return self._names[id(call)]
        uri, given = call.get("model_uri"), call.get("name")
        last = uri.rstrip("/").rsplit("/", 1)[-1] if isinstance(uri, str) else "model"
        name = _model_name(given if isinstance(given, str) else last)
        self._remember(call, name)
        path = ("models", name, "source")
        if isinstance(uri, str) and (
            uri.startswith("runs:/") or ("://" not in uri and not uri.startswith("models:"))
        ):
            self._draft.put(BASE, path, uri)
            self._draft.note(Outcome.MAPPED, call.where, "mlflow.azureml.deploy.model_uri", ".".join(path))
        else:
            run = uri.known if isinstance(uri, Unknown) and uri.known.startswith("runs:/") else ""
            self._draft.put(
                BASE, path, f"runs:/{PLACEHOLDER}/{run.rsplit('/', 1)[-1]}" if run else f"models/{name}"
            )
            self._draft.decide(call, "model_uri", BASE, path, _unknown(uri, "which run's model"))
        return name

    def _text(self, value: str, where: str) -> str:
        """`name:version`, `name:version=path`, or a path as `Webservice.deploy` took it."""
        reference, _, path = value.partition("=")
        name, _, version = reference.partition(":")
        call = Call("Model", where, {"name": name, "version": version or None})
        if not path and ("/" in name or "." in name):
            path, name = name, _model_name(Path(name).stem)
        if not path:
            return self._registered(call)
        name = _model_name(name)
        found = self._draft.relative(path, call, self._base)
        if found is None:
            self._draft.comment(
                BASE, ("models", name), f"{TO_DECIDE} ({where}): {path} is outside the project"
            )
        self._draft.put(BASE, ("models", name, "source"), found or path)
        self._draft.note(Outcome.MAPPED, where, "--model", f"models.{name}.source")
        return name

    def _remember(self, call: Call, name: str) -> None:
        self._names[id(call)] = name
        self._kept.append(call)  # An id is only as good as the object's life.


def _model_name(text: str) -> str:
    found = _NAME.sub("-", text).strip("-._")
    return found or "model"


def _unknown(value: Any, wanted: str) -> str:
    if isinstance(value, Unknown):
        return f"{wanted}? The script says `{value.text}`, which only running it tells"
    if isinstance(value, Variable):
        return f"{wanted}? The script reads the environment variable {value.name}"
    return f"{wanted}?"
