"""Default providers: made when a resource names none, one for each package and version."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass

from mldeploy.engine.base.errors import BailError, EngineError
from mldeploy.engine.base.goal import Goal
from mldeploy.engine.base.urn import PROVIDER_PREFIX
from mldeploy.engine.core.step_generator import StepGenerator
from mldeploy.engine.plugins.registry import set_internal, set_version
from mldeploy.engine.project.config import StackConfig
from mldeploy.values.property_value import Secret


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """A package in a version from a place; empty means any."""

    package: str
    version: str = ""
    url: str = ""

    @property
    def default_name(self) -> str:
        """The name Pulumi gives the default provider."""
        name = "default"
        if self.version:
            name += "_" + re.sub(r"[.+-]", "_", self.version.removeprefix("v"))
        if self.url:
            name += "_" + _qualified_name(self.url)
        return name


def _qualified_name(text: str) -> str:
    """The text as a name with slashes (`tokens.IntoQName`)."""
    parts = [re.sub(r"^[^A-Za-z0-9_.]", "_", part) for part in text.split("/") if part]
    return "/".join(re.sub(r"[^A-Za-z0-9_.-]", "_", part) for part in parts) or "_"


class DefaultProviders:
    """Registers each default provider once."""

    def __init__(self, generator: StepGenerator, config: StackConfig) -> None:
        self._generator = generator
        self._config = config
        self._lock = threading.Lock()
        self._references: dict[ProviderRequest, str] = {}
        self._making: dict[ProviderRequest, threading.Lock] = {}

    def reference(self, request: ProviderRequest) -> str:
        """`<urn>::<id>` of the default provider. Raises EngineError when default providers are disabled."""
        request = ProviderRequest(request.package, request.version, request.url.rstrip("/"))
        with self._lock:
            known = self._references.get(request)
            if known is not None:
                return known
            making = self._making.setdefault(request, threading.Lock())
        with making:
            with self._lock:
                known = self._references.get(request)
            if known is None:
                known = self._register(request)
                with self._lock:
                    self._references[request] = known
        return known

    def _register(self, request: ProviderRequest) -> str:
        self._refuse_denied(request.package)
        inputs = self._config.package(request.package)
        if request.version:
            set_version(inputs, request.version)
        if request.url:
            set_internal(inputs, "pluginDownloadURL", request.url)
        goal = Goal(PROVIDER_PREFIX + request.package, request.default_name, custom=True, properties=inputs)
        state = self._generator.register(goal).state
        if state is None:
            raise BailError(f"the default provider for package {request.package} was not registered")
        return f"{state.urn}::{state.id}"

    def _refuse_denied(self, package: str) -> None:
        value = self._config.values.get("pulumi:disable-default-providers")
        if package == "pulumi" or not value:
            return
        text = str(value.value) if isinstance(value, Secret) else value
        try:
            barred = [str(item).strip() for item in json.loads(text)]
        except (ValueError, TypeError):
            raise EngineError(
                "pulumi:disable-default-providers must be a JSON list of package names"
            ) from None
        if "*" in barred or package in barred:
            raise EngineError(
                f"Default provider for '{package}' disabled. A resource must use an explicit provider."
            )
