"""Loads providers: ours in this process, others as plugin processes, a stand-in to plan without one."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from mldeploy.engine.base.errors import MissingPluginError, ProviderError
from mldeploy.engine.base.events import Events
from mldeploy.engine.base.proto import EMPTY, provider, provider_grpc
from mldeploy.engine.plugins.engine_service import EngineService
from mldeploy.engine.plugins.plugin import PluginProcess, find_plugin
from mldeploy.engine.plugins.provider import PluginProvider
from mldeploy.engine.plugins.sdk_only import SdkOnlyProvider
from mldeploy.engine.plugins.transport import PluginTransport
from mldeploy.engine.project.config import StackConfig
from mldeploy.engine.project.project import PulumiProject
from mldeploy.engine.project.versions import older

# Makes the servicer object of an in-process provider.
Factory = Callable[[], Any]


class PluginHost:
    """Finds and starts plugins for one operation."""

    def __init__(
        self,
        project: PulumiProject,
        config: StackConfig,
        service: EngineService,
        events: Events,
        in_process: Mapping[str, Factory],
        *,
        preview: bool,
        timeout: float,
    ) -> None:
        self._project = project
        self._config = config
        self._service = service
        self._events = events
        self._in_process = in_process
        self._preview = preview
        self._timeout = timeout
        self._lock = threading.Lock()
        self.planned_without: set[str] = set()

    def missing(self, package: str, version: str) -> str:
        """Why the package's plugin cannot be loaded, empty when it can."""
        if package == "pulumi" or package in self._in_process:
            return ""
        try:
            find_plugin("resource", package, version, self._project.plugin_providers)
        except MissingPluginError as error:
            return str(error)
        return ""

    def load(self, package: str, version: str, url: str) -> PluginProvider:
        """A provider, not yet configured. Raises PluginError."""
        del url
        factory = self._in_process.get(package)
        if factory is not None:
            servicer = factory()
            if hasattr(servicer, "use_engine"):  # its progress and warnings reach the user without a detour
                servicer.use_engine(self._service)
            transport = PluginTransport(servicer, in_process=True, name=package)
            self._warn_of_version(transport, package, version)
            return PluginProvider(transport, package)
        try:
            executable = find_plugin("resource", package, version, self._project.plugin_providers)
        except MissingPluginError as error:
            if not self._preview:
                raise
            self._note_missing(package, error)
            return SdkOnlyProvider(package)
        process = PluginProcess(
            executable,
            arguments=[self._service.address],
            cwd=self._project.main,
            env=self._environment(),
            name=package,
            on_line=lambda level, line: self._events.diagnostic(level, line, ephemeral=True),
            timeout=self._timeout,
        )
        stub = provider_grpc.ResourceProviderStub(process.channel)
        transport = PluginTransport(stub, in_process=False, name=package, gone=process.gone)
        loaded = PluginProvider(transport, package, on_close=process.close)
        folder = executable if executable.is_dir() else executable.parent
        request = provider.ProviderHandshakeRequest(
            engine_address=self._service.address,
            root_directory=str(folder),
            program_directory=str(folder),
            configure_with_urn=True,
            invoke_with_preview=True,
        )
        try:
            transport.call("Handshake", request)
        except ProviderError as error:
            if error.code != "UNIMPLEMENTED":
                loaded.close()
                raise
        except BaseException:
            loaded.close()
            raise
        self._warn_of_version(transport, package, version)
        return loaded

    def _warn_of_version(self, transport: PluginTransport, package: str, wanted: str) -> None:
        """As the CLI does: what is on PATH is taken whatever its version, but not in silence."""
        if not wanted:
            return
        try:
            found = str(transport.call("GetPluginInfo", EMPTY).version)
        except ProviderError as error:
            if error.code != "UNIMPLEMENTED":
                raise
            found = ""
        if not found or older(found, wanted):
            self._events.diagnostic(
                "warning",
                f"resource plugin {package} is expected to have version >={wanted.removeprefix('v')}, but has"
                f" {found.removeprefix('v')}; the wrong version may be on your path, or this may be a bug in the"
                " plugin",
            )

    def _note_missing(self, package: str, error: MissingPluginError) -> None:
        with self._lock:
            if package in self.planned_without:
                return
            self.planned_without.add(package)
        self._events.diagnostic("warning", f"planned without the {package} plugin: {error}")

    def _environment(self) -> dict[str, str]:
        secret_keys = set(self._config.secret_keys())
        plain = {k: v for k, v in self._config.plain().items() if k not in secret_keys}
        return {**os.environ, "PULUMI_PROJECT": self._project.name, "PULUMI_CONFIG": json.dumps(plain)}
