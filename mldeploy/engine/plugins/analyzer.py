"""Policy packs, through the Analyzer protocol: what they say of each resource and of the whole stack.

A pack is a folder with `PulumiPolicy.yaml` and a Python program. It runs as a process of its own, with the
interpreter its `virtualenv` option names (else this one).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mldeploy.engine.base.errors import BailError, EngineError, UnsupportedError
from mldeploy.engine.base.events import Events
from mldeploy.engine.base.goal import Goal
from mldeploy.engine.base.proto import EMPTY, Message, analyzer, analyzer_grpc
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.plugins.plugin import PluginProcess
from mldeploy.engine.plugins.transport import PluginTransport
from mldeploy.values.marshal import Marshaller, unmarshal
from mldeploy.values.property_value import PropertyMap

_LEVELS = {"advisory": 0, "mandatory": 1, "disabled": 2, "remediate": 3}
_NAMES = {number: name for name, number in _LEVELS.items()}
_MARSHAL = Marshaller(unknowns=True, secrets=True, resources=True)


@dataclass(frozen=True, slots=True)
class PackContext:
    """What a pack is told about the run."""

    project: str
    stack: str
    preview: bool
    config: dict[str, str]
    secret_keys: list[str]
    engine_address: str
    timeout: float


class PolicyPack:
    """One running pack."""

    def __init__(self, path: Path, config_file: Path | None, context: PackContext, events: Events) -> None:
        project = _load_project(path)
        self.version = str(project.get("version") or "")
        self._process = _start(path, project, context, events)
        stub = analyzer_grpc.AnalyzerStub(self._process.channel)
        self._transport = PluginTransport(
            stub, in_process=False, name=f"policy pack {path.name}", gone=self._process.gone
        )
        try:
            self._handshake(path, context)
            info = self._transport.call("GetAnalyzerInfo", EMPTY)
            self.name: str = info.name
            self._configure(info, config_file)
        except BaseException:
            self.close()
            raise

    def _handshake(self, path: Path, context: PackContext) -> None:
        hello = analyzer.AnalyzerHandshakeRequest(
            engine_address=context.engine_address, root_directory=str(path), program_directory=str(path)
        )
        stack = analyzer.AnalyzerStackConfigureRequest(
            stack=context.stack,
            project=context.project,
            organization="organization",
            dry_run=context.preview,
            config=context.config,
            config_secret_keys=context.secret_keys,
        )
        for method, request in (("Handshake", hello), ("ConfigureStack", stack)):
            try:
                self._transport.call(method, request)
            except EngineError as error:
                if getattr(error, "code", "") != "UNIMPLEMENTED":
                    raise

    def _configure(self, info: Message, config_file: Path | None) -> None:
        """Levels and settings: the file's, else the pack's initial ones, else each policy's own."""
        given = _load_config(config_file) if config_file is not None else {}
        request = analyzer.ConfigureAnalyzerRequest()
        initials = dict(info.initialConfig)
        for policy in info.policies:
            initial = initials.get(policy.name)
            target = request.policyConfig[policy.name]
            target.enforcementLevel = policy.enforcementLevel
            settings: dict[str, Any] = {}
            if policy.HasField("configSchema"):
                schema = unmarshal(policy.configSchema.properties)
                settings.update({k: v["default"] for k, v in schema.items() if "default" in v})
            if initial is not None:
                target.enforcementLevel = initial.enforcementLevel
                settings.update(unmarshal(initial.properties))
            entry = {**given.get("all", {}), **given.get(policy.name, {})}
            level = entry.pop("enforcementLevel", None)
            if level is not None:
                target.enforcementLevel = _LEVELS[level]
            settings.update(entry)
            target.properties.CopyFrom(_MARSHAL.struct(settings))
        self._transport.call("Configure", request)

    def call(self, method: str, request: Message) -> Message:
        """Ask the pack. Raises EngineError."""
        return self._transport.call(method, request)

    def close(self) -> None:
        """End the process."""
        self._process.close()


def _load_project(path: Path) -> dict[str, Any]:
    file = path / "PulumiPolicy.yaml"
    try:
        data: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise EngineError(f"policy pack {path}: cannot read PulumiPolicy.yaml: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise EngineError(f"policy pack {path}: PulumiPolicy.yaml is not valid YAML: {error}") from None
    runtime: Any = data.get("runtime")
    name = runtime.get("name") if isinstance(runtime, dict) else runtime  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if name != "python":
        raise UnsupportedError(
            f"policy pack {path}: runtime {name!r}; the embedded engine runs Python packs only"
        )
    return data


def _load_config(file: Path) -> dict[str, Any]:
    """`{policy: level | {enforcementLevel, settings…}}`, normalised. Raises EngineError."""
    try:
        raw: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EngineError(f"policy pack config {file}: {error}") from None
    config: dict[str, Any] = {}
    for name, entry in raw.items():
        settings: dict[str, Any] = {"enforcementLevel": entry} if isinstance(entry, str) else dict(entry)
        level = settings.get("enforcementLevel")
        if level is not None and level not in _LEVELS:
            raise EngineError(
                f"policy pack config {file}: {name}: level {level!r} is none of {sorted(_LEVELS)}"
            )
        config[name] = settings
    return config


def _start(path: Path, project: dict[str, Any], context: PackContext, events: Events) -> PluginProcess:
    runtime: Any = project.get("runtime")
    options: dict[str, Any] = (runtime.get("options") or {}) if not isinstance(runtime, str) else {}
    python = Path(sys.executable)
    if options.get("virtualenv"):
        python = path / str(options["virtualenv"]) / "bin" / "python"
        if not python.is_file():
            raise EngineError(f"policy pack {path}: its virtualenv has no {python}")
    plain = {k: v for k, v in context.config.items() if k not in context.secret_keys}
    return PluginProcess(
        python,
        arguments=["-u", str(path / str(project.get("main") or "."))],
        cwd=path,
        env={
            **os.environ,
            "PULUMI_PROJECT": context.project,
            "PULUMI_STACK": context.stack,
            "PULUMI_ORGANIZATION": "organization",
            "PULUMI_DRY_RUN": "true" if context.preview else "false",
            "PULUMI_CONFIG": json.dumps(plain),
        },
        name=f"policy pack {path.name}",
        on_line=lambda level, line: events.diagnostic(level, line, ephemeral=True),
        timeout=context.timeout,
    )


class Analyzers:
    """The packs of one operation; without any it costs nothing. `fail` is called for mandatory violations."""

    def __init__(self, packs: list[PolicyPack], events: Events, *, preview: bool) -> None:
        self._packs = packs
        self._events = events
        self._preview = preview
        self.violated: list[str] = []

    def add(self, pack: PolicyPack) -> None:
        """Ask one more pack."""
        self._packs.append(pack)

    @property
    def any(self) -> bool:
        """Whether there is anything to ask."""
        return bool(self._packs)

    def close(self) -> None:
        """End the packs' processes."""
        for pack in self._packs:
            pack.close()

    def remediate_and_analyze(
        self, new: ResourceState, goal: Goal, provider: ResourceState | None
    ) -> PropertyMap:
        """Inputs after remediation. Raises BailError on a mandatory violation in an update."""
        inputs = new.inputs
        for pack in self._packs:
            response = pack.call("Remediate", _request(new, inputs, goal, provider))
            for item in response.remediations:
                if item.diagnostic:
                    self._report(new.urn, pack, item, "advisory", item.diagnostic)
                elif item.HasField("properties"):
                    inputs = unmarshal(item.properties)
                    self._events.diagnostic(
                        "info",
                        f"remediated by policy {pack.name} {item.policyName}: {item.description}",
                        new.urn,
                    )
        invalid = False
        for pack in self._packs:
            response = pack.call("Analyze", _request(new, inputs, goal, provider))
            for item in response.diagnostics:
                level = _NAMES[item.enforcementLevel]
                # A remediation that did not help leaves a violation that must be solved.
                mandatory = level in ("mandatory", "remediate")
                self._report(new.urn, pack, item, "mandatory" if mandatory else level, item.message)
                invalid = invalid or mandatory
        if invalid and not self._preview:
            raise BailError(f"resource {new.urn} violates a mandatory policy")
        return inputs

    def analyze_stack(
        self,
        states: list[ResourceState],
        goals: dict[str, Goal],
        provider_of: Callable[[ResourceState], ResourceState | None],
    ) -> None:
        """Ask every pack about all resources together; mandatory violations are noted in `violated`."""
        for pack in self._packs:
            request = analyzer.AnalyzeStackRequest()
            for state in states:
                item = request.resources.add()
                single = _request(state, state.outputs, goals.get(state.urn), provider_of(state))
                for name in ("type", "urn", "name"):
                    setattr(item, name, getattr(single, name))
                item.properties.CopyFrom(single.properties)
                item.options.CopyFrom(single.options)
                if single.HasField("provider"):
                    item.provider.CopyFrom(single.provider)
                item.parent = state.parent
                item.dependencies.extend(state.dependencies)
                for key, urns in state.property_dependencies.items():
                    item.propertyDependencies[key].urns.extend(urns)
            for item in pack.call("AnalyzeStack", request).diagnostics:
                level = _NAMES[item.enforcementLevel]
                self._report(
                    item.urn, pack, item, "mandatory" if level == "remediate" else level, item.message
                )

    def _report(self, urn: str, pack: PolicyPack, item: Message, level: str, message: str) -> None:
        if level == "mandatory":
            self.violated.append(f"{pack.name} {item.policyName}")
        self._events.emit(
            policyEvent={
                "resourceUrn": urn,
                "message": message,
                "color": "never",
                "policyName": item.policyName,
                "policyPackName": item.policyPackName or pack.name,
                "policyPackVersion": pack.version or item.policyPackVersion,
                "policyPackVersionTag": pack.version or item.policyPackVersion,
                "enforcementLevel": level,
            }
        )


def _request(
    state: ResourceState, properties: PropertyMap, goal: Goal | None, provider: ResourceState | None
) -> Message:
    shown = {k: v for k, v in properties.items() if not k.startswith("__")}
    request = analyzer.AnalyzeRequest(
        type=state.type, urn=state.urn, name=state.name, properties=_MARSHAL.struct(shown)
    )
    options = request.options
    options.protect = state.protect
    options.ignoreChanges.extend(state.ignore_changes)
    options.additionalSecretOutputs.extend(state.additional_secret_outputs)
    options.aliases.extend(state.aliases)
    options.parent = state.parent
    for name, seconds in state.custom_timeouts.items():
        setattr(options.customTimeouts, name, seconds)
    if goal is not None and goal.delete_before_replace is not None:
        options.deleteBeforeReplace = goal.delete_before_replace
        options.deleteBeforeReplaceDefined = True
    if provider is not None:
        request.provider.type = provider.type
        request.provider.urn = provider.urn
        request.provider.name = provider.name
        request.provider.properties.CopyFrom(_MARSHAL.struct(provider.inputs))
    return request
