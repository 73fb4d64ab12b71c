"""Registration requests: what they ask for as a goal, and what this engine refuses by name."""

from __future__ import annotations

import re

from mldeploy.engine.base.errors import EngineError, UnsupportedError
from mldeploy.engine.base.goal import Alias, Goal
from mldeploy.engine.base.proto import Message
from mldeploy.values.marshal import unmarshal_value
from mldeploy.values.property_value import PropertyMap, lower_outputs


def refuse_unsupported(request: Message) -> None:
    """Name what this engine does not do; leaving it out in silence would make another program of it."""
    where = f"{request.type} '{request.name}'"
    if request.remote:
        raise UnsupportedError(f"{where}: remote components (multi-language) need the pulumi CLI")
    if request.packageRef:
        raise UnsupportedError(f"{where}: parameterised packages need the pulumi CLI")
    if request.HasField("hooks") and any(request.hooks.ListFields()):
        raise UnsupportedError(f"{where}: resource hooks need the pulumi CLI")
    if getattr(request, "state_migrations", None):
        raise UnsupportedError(f"{where}: state migrations need the pulumi CLI")
    if request.envVarMappings:
        raise UnsupportedError(f"{where}: environment variable mappings need the pulumi CLI")
    if request.snippetId:
        raise UnsupportedError(f"{where}: snippets need the pulumi CLI")


def make_goal(
    request: Message,
    options: Message,
    props: PropertyMap,
    dependencies: set[str],
    property_dependencies: dict[str, set[str]],
) -> Goal:
    """The goal of a registration. Raises EngineError for a malformed option."""

    def maybe(name: str) -> bool | None:
        return bool(getattr(options, name)) if options.HasField(name) else None

    trigger = (
        unmarshal_value(options.replacement_trigger) if options.HasField("replacement_trigger") else None
    )
    return Goal(
        type=request.type,
        name=request.name,
        custom=request.custom,
        properties=props,
        parent=request.parent,
        protect=maybe("protect"),
        dependencies=sorted(dependencies),
        property_dependencies={k: sorted(v) for k, v in property_dependencies.items()},
        delete_before_replace=maybe("delete_before_replace"),
        ignore_changes=list(options.ignore_changes),
        additional_secret_outputs=list(options.additional_secret_outputs),
        aliases=[_alias(a) for a in options.aliases],
        import_id=getattr(options, "import"),
        custom_timeouts=_timeouts(options.custom_timeouts),
        replace_on_changes=list(options.replace_on_changes),
        replacement_trigger=lower_outputs(trigger),
        retain_on_delete=maybe("retain_on_delete"),
        deleted_with=options.deleted_with,
        replace_with=list(options.replace_with),
        hide_diff=list(options.hide_diff),
    )


def _alias(message: Message) -> Alias:
    if message.HasField("urn"):
        return Alias(urn=message.urn)
    spec = message.spec
    return Alias(
        name=spec.name,
        type=spec.type,
        stack=spec.stack,
        project=spec.project,
        parent=spec.parentUrn,
        no_parent=spec.noParent,
    )


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def _timeouts(message: Message) -> dict[str, float]:
    """Seconds by operation of durations such as `1h30m`. Raises EngineError."""
    found: dict[str, float] = {}
    for name in ("create", "update", "delete", "read"):
        text = getattr(message, name)
        if text:
            found[name] = duration_seconds(text)
    return found


def duration_seconds(text: str) -> float:
    """Seconds of a Go duration. Raises EngineError for anything else."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", text)
    if not parts or "".join(n + u for n, u in parts) != text:
        raise EngineError(
            f"unable to parse customTimeouts value {text!r}: use a duration such as 5m or 1h30m"
        )
    total = float(sum(float(number) * _UNITS[unit] for number, unit in parts))
    return int(total) if total.is_integer() else total
