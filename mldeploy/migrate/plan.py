"""Which services a script leaves behind: deployments of the same one together, updates in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, cast

from mldeploy.migrate.draft import Draft
from mldeploy.migrate.findings import Finding, Outcome
from mldeploy.migrate.json_files import read_deployment, read_inference
from mldeploy.migrate.table import by_name
from mldeploy.migrate.targets import STACKS
from mldeploy.migrate.v1 import DEPLOYS, UPDATES
from mldeploy.migrate.values import Call, Choice, Unknown, each

_FROM_IMAGE: Final = ("Image.create", "mlflow.azureml.build_image")
_OF_THE_DEPLOY: Final = frozenset(
    {
        "models",
        "inference_config",
        "image",
        "of",
        "name",
        "version_name",
        "is_default",
        "is_control_version_type",
    }
)


@dataclass
class Planned:
    """A service as the script's end leaves it."""

    call: Call
    """The deployment, or the update when another script deployed it."""
    name: Any
    models: Any = None
    inference: Any = None
    """The inference or image configuration; None when v1 took the model's framework for it."""
    deployment: Any = None
    target: Any = None
    extra: dict[str, Any] = field(default_factory=dict[str, Any])
    """Values that are the service's whatever its target: options of the CLI, updates."""


class Plan:
    """The services of one or several scripts."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.services: list[Planned] = []
        self._by_call: dict[int, Planned] = {}

    def read(self, stated: list[Call]) -> None:
        """Take the deployments and updates from what was stated, in its order."""
        for call in stated:
            if call.owner in DEPLOYS:
                for planned in self._deployed(call):
                    self._add(call, planned)
            elif call.owner in UPDATES:
                self._updated(call)

    # --- deployments -------------------------------------------------------------------------------------

    def _deployed(self, call: Call) -> Iterator[Planned]:
        """One service for each configuration that a branch left possible."""
        models, inference = self._content(call)
        name = call.get("name") if call.get("name") is not None else call.get("service_name")
        config = call.get("deployment_config")
        if call.owner == "mlflow.create_deployment":
            config = None
        for one in each(config):
            target = call.get("deployment_target")
            deployment = self._configuration(one, read_deployment)
            yield Planned(call, name, models, inference, deployment, target, self._extra(call))

    def _extra(self, call: Call) -> dict[str, Any]:
        return {key: value for key, value in call.values.items() if key not in _HANDLED}

    def _content(self, call: Call) -> tuple[Any, Any]:
        """What a deployment scores with: its models and its inference configuration."""
        if call.owner.startswith("mlflow"):
            model = call.get("model_uri")
            return [
                Call("MLflow model", call.where, {"model_uri": model, "name": call.get("model_name")})
            ], None
        models = next((call.get(key) for key in ("models", "model_paths") if call.get(key) is not None), None)
        inference = next(
            (call.get(key) for key in ("inference_config", "image_config") if call.get(key) is not None), None
        )
        image = call.get("image")
        if image is not None:
            models, inference = self._image(image, call)
        return models, self._configuration(inference, read_inference)

    def _image(self, image: Any, call: Call) -> tuple[Any, Any]:
        """The models and configuration of an image that was built before."""
        built = next((one for one in each(image) if isinstance(one, Call)), None)
        if built is not None and built.owner in _FROM_IMAGE:
            models, inference = (
                self._content(built)
                if built.owner.startswith("mlflow")
                else (built.get("models"), built.get("image_config"))
            )
            return models, inference
        name = built.get("name") if built is not None else image
        text = f"the image {name!r}" if isinstance(name, str) else "an image"
        return None, Call("Image", call.where, {"name": text})

    def _configuration(self, given: Any, reader: Callable[[dict[str, Any], str, list[Finding]], Call]) -> Any:
        """A JSON file of the CLI as the object that it describes."""
        if isinstance(given, Call) and given.owner.endswith(" file"):
            return reader(given.values["document"], given.values["file"], self._draft.findings)
        return given

    def _add(self, call: Call, planned: Planned) -> None:
        before = next((one for one in self.services if self._same(one, planned)), None)
        if before is None:
            self.services.append(planned)
            self._by_call.setdefault(id(call), planned)
            return
        self._by_call[id(call)] = before
        for key in ("models", "inference", "deployment", "target"):
            value = getattr(planned, key)
            if value is not None and not isinstance(value, Unknown):
                setattr(before, key, value)
        before.extra |= planned.extra
        if before.call is not call:
            why = f"deploys the service of {before.call.where} again: one service, as the later call says"
            self._draft.note(Outcome.CHANGED, call.where, call.owner, _to(before.name), why)

    @staticmethod
    def _same(one: Planned, other: Planned) -> bool:
        """Whether v1 would have one service: of that name, in the same place."""
        named = isinstance(one.name, str) and one.name == other.name
        if isinstance(one.name, Unknown) and isinstance(other.name, Unknown):
            named = one.name.text == other.name.text
        return named and stack_of(one) == stack_of(other)

    # --- updates -----------------------------------------------------------------------------------------

    def _updated(self, call: Call) -> None:
        planned = self._target(call)
        if planned is None:
            why = "which service does it update? Nothing here deploys or names one"
            self._draft.note(Outcome.UNREAD, call.where, call.owner, "services.*", why)
            return
        to = _to(planned.name)
        models, inference = self._content(call)
        for key, value in (("models", models), ("inference", inference)):
            if value is not None:
                setattr(planned, key, value)
        for key in call.values:
            if key not in _OF_THE_DEPLOY:
                self._draft.note(Outcome.MAPPED, call.where, f"{call.owner}.{key}", to, "")
            elif (row := by_name("AksEndpoint", key)) is not None:
                self._draft.note(row.outcome, call.where, f"{call.owner}.{key}", "", row.why)
        values = {key: value for key, value in call.values.items() if key not in _OF_THE_DEPLOY}
        if isinstance(planned.deployment, Call):
            planned.deployment = planned.deployment.copy()
            planned.deployment.values |= values
        else:
            planned.extra |= values
        why = "an update is a change of the manifest: it says what the service is after it"
        self._draft.note(Outcome.CHANGED, call.where, call.owner, to, why)

    def _target(self, call: Call) -> Planned | None:
        """The service that an update is of: planned already, or one that another script deployed."""
        of = call.get("of")
        if isinstance(of, Choice):
            of = next((one for one in of.values if isinstance(one, Call)), None)
        if isinstance(of, Call) and id(of) in self._by_call:
            return self._by_call[id(of)]
        name = of.get("name") if isinstance(of, Call) else call.get("name")
        found = [one for one in self.services if isinstance(name, str) and one.name == name]
        if found:
            return found[-1]
        if isinstance(name, str) or (isinstance(of, Call) and of.owner == "Webservice"):
            kind = str(of.get("kind")) if isinstance(of, Call) else ""
            deployment = Call(kind, call.where) if kind in STACKS else None
            made = Planned(call, name, deployment=deployment)
            self.services.append(made)
            return made
        return self.services[-1] if len(self.services) == 1 else None


_HANDLED: Final = frozenset(
    {
        "name",
        "service_name",
        "models",
        "model_paths",
        "model_uri",
        "model_name",
        "inference_config",
        "image_config",
        "image",
        "deployment_config",
        "deployment_target",
        "workspace",
        "overwrite",
        "show_output",
        "of",
        "synchronous",
        "mlflow_home",
        "config",
        "flavor",
        "endpoint",
    }
)


def stack_of(planned: Planned) -> str:
    """The stack that a service belongs to."""
    deployment: Any = planned.deployment
    if isinstance(deployment, Call) and deployment.owner in STACKS:
        return STACKS[deployment.owner]
    return STACKS["AksWebservice" if planned.target is not None else "AciWebservice"]


def listed(value: Any) -> list[Any]:
    """Models as a list, whether one or several were given."""
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _to(name: Any) -> str:
    return f"services.{name}" if isinstance(name, str) else "services.*"
