"""Parts that every kind of image has: base image, registry, environment variables."""

from __future__ import annotations

import re
from typing import Any, cast

from mldeploy.manifest.secret_forms import is_secret_name, secret_form
from mldeploy.migrate.draft import BASE, Draft, config_key
from mldeploy.migrate.findings import Outcome
from mldeploy.migrate.reading import State
from mldeploy.migrate.values import Call, Unknown, Variable


class Parts:
    """Keys of an image by themselves."""

    def __init__(self, draft: Draft, state: State) -> None:
        self._draft, self._state, self._base = draft, state, state.base

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
