"""Registration requests: what they ask for as a goal, and what this engine refuses by name."""

from __future__ import annotations

import re

from mldeploy.engine.base.errors import EngineError, UnsupportedError
from mldeploy.engine.base.goal import Alias, Goal
from mldeploy.engine.base.proto import Message
from mldeploy.engine.base.urn import parse_provider_reference, provider_package, type_package, urn_type
from mldeploy.values.marshal import unmarshal_value
from mldeploy.values.property_path import format_path, parse_path
from mldeploy.values.property_value import PropertyMap, lower_outputs


def refuse_unsupported(request: Message) -> None:
    """Name what this engine does not do; leaving it out in silence would make another program of it."""
    where = f"{request.type} '{request.name}'"
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


def inherit(request: Message, parent: Goal) -> None:
    """What a child takes from its parent where it says nothing itself: the CLI's engine does this, not the SDK.

    A provider is taken over by what it serves, and by components, which hand it on (`inheritFromParent` in
    pkg/resource/deploy/source_eval.go).
    """
    if not request.deletedWith:
        request.deletedWith = parent.deleted_with
    if not request.HasField("protect") and parent.protect is not None:
        request.protect = parent.protect
    if not request.HasField("retainOnDelete") and parent.retain_on_delete is not None:
        request.retainOnDelete = parent.retain_on_delete
    if not request.provider and parent.provider:
        serves = provider_package(urn_type(parse_provider_reference(parent.provider).urn))
        if not request.custom or serves == type_package(request.type):
            request.provider = parent.provider


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
        hide_diff=[_path(text) for text in options.hide_diff],
    )


def _path(text: str) -> str:
    """The path in Pulumi's spelling, in which states record it. Raises EngineError."""
    try:
        return format_path(parse_path(text))
    except ValueError as error:
        raise EngineError(f"hide_diffs: {error}") from None


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


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def _timeouts(message: Message) -> dict[str, float]:
    """Seconds by operation of durations such as `1h30m`. Raises EngineError."""
    found: dict[str, float] = {}
    for name in ("create", "update", "delete", "read"):
        text = getattr(message, name)
        if text and (seconds := duration_seconds(text)):  # a zero is not recorded
            found[name] = seconds
    return found


_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def duration_seconds(text: str) -> float:
    """Seconds of a Go duration (`time.ParseDuration`), negative ones too. Raises EngineError for anything else."""
    sign, digits = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    parts = _DURATION.findall(digits)
    if digits != "0" and (not parts or "".join(n + u for n, u in parts) != digits):
        raise EngineError(
            f"unable to parse customTimeouts value {text!r}: use a duration such as 5m or 1h30m"
        )
    total = float(sum(float(number) * _UNITS[unit] for number, unit in parts))
    total = -total if sign == "-" else total
    return int(total) if total.is_integer() else total
