"""EdgeDeployment: an IoT Edge automatic deployment, whose content decides its identity."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any, cast

from pydantic import ValidationError

from mldeploy.edge import ConditionError, Deployment, check_condition, content_digest, parse_content
from mldeploy.provider.edge import rollout
from mldeploy.provider.edge.auth import credential
from mldeploy.provider.edge.client import HubClient, HubError
from mldeploy.provider.edge.fields import DEPLOYMENT, EdgeDeploymentFields
from mldeploy.provider.edge.rollout import CLAIM, NotRolledOutError, Wanted
from mldeploy.provider.framework.resource import (
    Change,
    CheckError,
    Context,
    Diff,
    Live,
    ProvisionError,
    Resource,
    UnhealthyError,
    known,
)
from mldeploy.values.property_value import UNKNOWN, Unknown

CONNECTION_VARIABLE = "MLDEPLOY_IOTHUB_CONNECTION_STRING"
"""Where an import, which has no inputs, finds a connection string. Without it: Microsoft Entra ID."""
# The hub takes 128 characters; the digest and a suffix take 22 of them.
_NAME = re.compile(r"[a-z0-9][a-z0-9\-:+%_#*?!(),=@;$']{0,105}")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?")


class EdgeDeployment(Resource[EdgeDeploymentFields]):
    """Changed content is a new deployment in front of the old one; everything else is updated in place."""

    importable = True

    def check(self, ctx: Context, old: EdgeDeploymentFields, new: EdgeDeploymentFields) -> dict[str, Any]:
        """The content is one that the hub and the runtime take; its digest."""
        faults = list(_plain_faults(new))
        parts = _content_inputs(new)
        complete = known(parts)
        if not complete:
            parts = _placeholders(parts)
        digest: Any = UNKNOWN
        if known(parts):
            try:
                digest = content_digest(Deployment.model_validate(parts).content())
            except ValidationError as error:
                faults += [_fault(cast("dict[str, Any]", item)) for item in error.errors()]
        if faults:
            raise CheckError(*faults)
        return {"content_digest": digest if complete else UNKNOWN}

    def diff(self, ctx: Context, change: Change[EdgeDeploymentFields]) -> Diff:
        """Other words for the same content (a default that is written out, as after an import) are no change."""
        found = super().diff(ctx, change)
        digest = change.new.content_digest
        if known(digest) and digest and digest == change.old.content_digest:
            found.ignore(*DEPLOYMENT)
        return found

    def create(self, ctx: Context, inputs: EdgeDeploymentFields) -> tuple[str, dict[str, Any]]:
        """Put it on the hub in front of those it follows, and wait for devices if asked to."""
        claim = secrets.token_hex(4)
        with _client(ctx, inputs.hub, inputs.connection_string) as hub:
            deployment, followed = rollout.place(hub, _wanted(inputs, claim))
            outputs = {"deployment_id": deployment, "claim": claim, "rolled_out": True}
            ident = f"{inputs.hub}/{deployment}"
            try:
                _wait(ctx, hub, deployment, inputs)
            except NotRolledOutError as error:
                reason = str(error)
                if inputs.wait and inputs.wait.rollback and followed:
                    reason = _roll_back(hub, deployment, claim, followed, reason)
                raise UnhealthyError(outputs | {"rolled_out": False}, reason, ident=ident) from None
        return ident, outputs

    def read(
        self, ctx: Context, ident: str, state: EdgeDeploymentFields, inputs: EdgeDeploymentFields
    ) -> Live | None:
        """What is on the hub; without inputs, an import of `<hub host name>/<deployment id>`."""
        given = inputs.plain()
        if not given:
            return _imported(ctx, ident)
        with _client(ctx, inputs.hub, inputs.connection_string) as hub:
            found = hub.get(_deployment_id(ident))
        if found is None:
            return None
        there = _mutable_inputs(found, inputs.priority)
        changed = {
            name: value for name, value in there.items() if value != (given.get(name) or type(value)())
        }
        digest = content_digest(found["content"])
        if digest != inputs.content_digest:
            changed |= _read_content(found) | {"content_digest": digest}
        return Live(changed, changed)

    def update(self, ctx: Context, change: Change[EdgeDeploymentFields]) -> dict[str, Any]:
        """Set labels, priority, condition and metrics; wait again when other devices are meant."""
        deployment, state, new = _deployment_id(change.id), change.state, change.new
        low, wanted = new.priority, _wanted(new, state.claim)

        def make(found: dict[str, Any]) -> dict[str, Any]:
            now = int(found.get("priority") or 0)
            properties = wanted.mutable(now if now in (low, low + 1) else low)
            if not state.claim:  # an imported deployment has no label of ours
                properties["labels"].pop(CLAIM, None)
            return properties

        with _client(ctx, new.hub, new.connection_string) as hub:
            if rollout.change(hub, deployment, make) is None:
                raise ProvisionError(
                    f"hub {new.hub}: deployment {deployment!r} is gone; refresh, then up creates it again"
                )
            outputs = {"deployment_id": deployment, "claim": state.claim, "rolled_out": True}
            if new.target_condition != state.target_condition or not state.rolled_out:
                try:
                    _wait(ctx, hub, deployment, new)
                except NotRolledOutError as error:
                    failed = new.plain() | outputs | {"rolled_out": False}
                    raise UnhealthyError(failed, str(error), ident=change.id) from None
        return outputs

    def delete(self, ctx: Context, ident: str, state: EdgeDeploymentFields) -> None:
        """Remove it, unless a later creation took it over. Devices keep what they run until another one
        matches."""
        deployment = _deployment_id(ident)
        with _client(ctx, state.hub, state.connection_string) as hub:
            if not rollout.remove(hub, deployment, state.claim):
                ctx.info(f"deployment {deployment!r} stays: another creation of it has taken it over")


def _imported(ctx: Context, ident: str) -> Live | None:
    host, _, deployment = ident.partition("/")
    if not deployment or not _HOST.fullmatch(host):
        raise ProvisionError(
            f"{ident!r} cannot be imported; give <hub host name>/<deployment id>, such as "
            "my-hub.azure-devices.net/site-7"
        )
    with _client(ctx, host, os.environ.get(CONNECTION_VARIABLE)) as hub:
        found = hub.get(deployment)
    if found is None:
        return None
    name = re.sub(r"-[0-9a-f]{12}(-[0-9a-f]{8})?$", "", deployment)
    inputs: dict[str, Any] = {
        "name": name,
        "hub": host,
        **_mutable_inputs(found, int(found.get("priority") or 0)),
    }
    content = _read_content(found)
    if not content:
        raise ProvisionError(
            f"deployment {deployment!r} has content that this resource cannot say; it has no modules"
        )
    inputs = {key: value for key, value in (inputs | content).items() if value not in ({}, None)}
    inputs["content_digest"] = content_digest(found["content"])
    claim = rollout.labels_of(found).get(CLAIM, "")
    return Live({"deployment_id": deployment, "claim": claim, "rolled_out": True}, inputs)


def _wait(ctx: Context, hub: HubClient, deployment: str, inputs: EdgeDeploymentFields) -> None:
    if inputs.wait is None:
        return
    counts = rollout.await_devices(
        hub, deployment, inputs.wait, clock=time.monotonic, pause=ctx.cancelled.wait, status=ctx.status
    )
    if not counts.targeted:
        ctx.warn(f"no device matches {inputs.target_condition!r} yet, so there was nothing to wait for")


def _roll_back(hub: HubClient, deployment: str, claim: str, followed: list[str], reason: str) -> str:
    """Remove the new deployment, so that the one it followed applies again.

    Returns:
        The reason why it is still there, when it could not be removed.

    Raises:
        ProvisionError: it is gone, and so there is nothing to record.
    """
    try:
        rollout.remove(hub, deployment, claim)
    except HubError as fault:
        return f"{reason}; it could not be rolled back: {fault}"
    raise ProvisionError(f"{reason}; rolled back: {', '.join(followed)} applies again")


def _client(ctx: Context, host: str, connection_string: str | None) -> HubClient:
    return HubClient(host, credential(connection_string, host), cancelled=ctx.cancelled)


def _deployment_id(ident: str) -> str:
    return ident.partition("/")[2]


def _content_inputs(inputs: EdgeDeploymentFields) -> dict[str, Any]:
    given = inputs.plain()
    found = {key: given[key] for key in DEPLOYMENT if given.get(key) is not None}
    return cast("dict[str, Any]", _without_nulls(found))


def _without_nulls(value: Any, depth: int = 0) -> Any:
    # Nulls of our own properties are absent ones; deeper down (desired properties) they mean something.
    if not isinstance(value, dict) or depth == 3:
        return cast("Any", value)
    items = cast("dict[str, Any]", value).items()
    return {key: _without_nulls(item, depth + 1) for key, item in items if item is not None}


def content_of(inputs: EdgeDeploymentFields) -> dict[str, Any]:
    """The content as the hub takes it, registry passwords in clear."""
    return Deployment.model_validate(_content_inputs(inputs)).content()


def _wanted(inputs: EdgeDeploymentFields, claim: str) -> Wanted:
    content = content_of(inputs)
    return Wanted(
        name=inputs.name,
        digest=content_digest(content),
        content=content,
        condition=inputs.target_condition,
        priority=inputs.priority,
        labels=inputs.labels,
        metrics=inputs.metrics,
        claim=claim,
    )


def _mutable_inputs(found: Mapping[str, Any], low: int) -> dict[str, Any]:
    priority = int(found.get("priority") or 0)
    labels = rollout.labels_of(found)
    labels.pop(CLAIM, None)
    return {
        "target_condition": str(found.get("targetCondition") or ""),
        "priority": low if priority == low + 1 else priority,
        "labels": labels,
        "metrics": rollout.metrics_of(found),
    }


def _read_content(found: Mapping[str, Any]) -> dict[str, Any]:
    """The content as inputs, or nothing when it says what inputs cannot."""
    try:
        parsed = parse_content(found["content"]).model_dump(exclude_none=True, exclude_defaults=True)
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {key: parsed.get(key) for key in DEPLOYMENT}


def _plain_faults(new: EdgeDeploymentFields) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if known(new.name) and not _NAME.fullmatch(new.name):
        found.append(
            ("name", f"is {new.name!r}; allowed: up to 106 lowercase letters, digits and -:+%_#*?!(),=@;$'")
        )
    if known(new.hub) and not _HOST.fullmatch(new.hub):
        found.append(("hub", f"is {new.hub!r}; allowed: a host name such as my-hub.azure-devices.net"))
    if known(new.target_condition):
        try:
            check_condition(new.target_condition)
        except ConditionError as error:
            found.append(("target_condition", str(error)))
    if known(new.labels) and CLAIM in new.labels:
        found.append((f"labels.{CLAIM}", "is the provider's own label"))
    return found


def _placeholders(value: Any, key: str = "") -> Any:
    """Unknown images and registry log-ins as valid ones, so that a preview can check the rest."""
    if isinstance(value, dict):
        return {name: _placeholders(item, name) for name, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, Unknown) and key in ("image", "address", "username", "password"):
        return "unknown"
    return value


def _fault(error: Mapping[str, Any]) -> tuple[str, str]:
    location = ".".join(str(part) for part in error["loc"])
    reason = str(error["msg"]).removeprefix("Value error, ")
    if not location:
        location, _, reason = reason.partition(": ")
    return location, reason
