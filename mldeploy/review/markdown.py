"""A preview as a comment for a pull request: counts, and for each service what changes and what that means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mldeploy.review.plan import ENDPOINTS, Change, Plan

MARK = "<!-- mldeploy preview {stack} -->"
"""Finds the comment again, to edit it in place of writing another."""
_NAMES_SHOWN = 5
_SIGNS = {"create": "+ create", "update": "~ update", "replace": "± replace", "delete": "- delete"}


def render(stack: str, plan: Plan, *, ok: bool) -> str:
    """The comment.

    Args:
        stack: the stack's name.
        plan: what the preview found.
        ok: whether the preview succeeded.
    """
    lines = [MARK.format(stack=stack), f"### Preview of `{stack}`", "", _counts(plan, ok=ok), ""]
    services = plan.services()
    if services:
        lines += ["| service | what changes | what that means |", "|---|---|---|"]
        lines += [_service(name, changes) for name, changes in services.items()]
        lines.append("")
    shared = plan.shared()
    if shared:
        lines += [
            "<details><summary>Shared resources</summary>",
            "",
            "| | resource | properties |",
            "|---|---|---|",
        ]
        lines += [f"| {_SIGNS[c.op]} | {c.kind} `{c.name}` | {_keys(c)} |" for c in shared]
        lines += ["", "</details>", ""]
    lines += _problems(plan)
    return "\n".join(lines).rstrip() + "\n"


def _counts(plan: Plan, *, ok: bool) -> str:
    changed = [f"{plan.counts[op]} to {op}" for op in _SIGNS if plan.counts[op]]
    text = ", ".join(changed) or "Nothing changes"
    same = f"; {plan.counts['same']} unchanged" if plan.counts["same"] else ""
    return f"{text}{same}." if ok else f"**The preview failed.** {text}{same}."


def _service(name: str, changes: list[Change]) -> str:
    parts = [c for c in changes if c.kind not in ENDPOINTS] or changes
    what = "<br>".join(f"{_SIGNS[c.op]} {c.kind}{': ' + _keys(c) if _keys(c) else ''}" for c in parts)
    means = "<br>".join(dict.fromkeys(consequences(changes)))
    return f"| `{name}` | {what} | {means or 'No interruption.'} |"


def consequences(changes: list[Change]) -> Iterator[str]:
    whole = {c.op for c in changes if c.kind in ENDPOINTS}
    if "create" in whole:
        yield "New service."
        return
    if "delete" in whole:
        yield "**Removed: clients get no answer any more.**"
        return
    for change in changes:
        yield from _consequence(change)


def _consequence(change: Change) -> Iterator[str]:
    match change.kind, change.op:
        case "Replica", "replace" | "create":
            yield "New version beside the old one; after its golden requests the port moves. No interruption."
        case "Listener", "replace":
            yield "**The port changes: clients have to follow.**"
        case "ContainerGroup", "replace":
            yield "**Recreated: the service is down while it starts again, and its address can change.**"
        case "ContainerGroup", "update":
            yield "**The container restarts: a short interruption.**"
        case "Deployment", "replace" | "create":
            yield "New version beside the old one; traffic moves once it is ready. No interruption."
        case "Rollout", "update" | "create":
            yield _rollout(change.inputs)
        case "ServiceKeys", "update":
            yield _rotated(change)
        case "ServiceKeys", "replace" | "delete":
            yield "**Clients with the old keys are refused.**"
        case "Gate", _:
            yield "Golden requests run first; when one fails, nothing moves."
        case "BatchDeployment", "replace" | "create":
            yield "Running jobs finish on the old deployment; new ones use the new."
        case "EdgeDeployment", _:
            yield "Devices get the new deployment when they next connect."
        case _:
            return


def _rollout(inputs: dict[str, Any]) -> str:
    if inputs.get("strategy") != "canary":
        return "All traffic moves at once, after the golden requests."
    steps = " → ".join(f"{int(step)} %" for step in inputs.get("steps") or (5, 25, 100))
    watched = int(inputs.get("bake_seconds") or 60)
    return f"Canary: {steps}, each step watched for {watched} s; traffic goes back by itself when it fails."


def _rotated(change: Change) -> str:
    which = [name for name in ("primary", "secondary") if any(name in key for key in change.keys)]
    named = " and ".join(which) or "a"
    return f"**The {named} key changes: clients that use it are refused from then on.**"


def _keys(change: Change) -> str:
    """At most five properties; a first creation has no old ones."""
    if change.op in ("create", "delete"):
        return ""
    shown = [f"`{key}`" for key in change.keys[:5]]
    return ", ".join(shown) + (f" and {len(change.keys) - 5} more" if len(change.keys) > 5 else "")


def _problems(plan: Plan) -> list[str]:
    lines: list[str] = []
    if plan.violations:
        lines += ["#### Policies", ""]
        order = violations(plan)
        lines += [f"- **{level}** `{rule}`: {last_line(message)}" for level, rule, message in order]
        lines.append("")
    if plan.errors:
        lines += ["#### Errors", "", "```text", *dict.fromkeys(plan.errors), "```", ""]
    return lines


def violations(plan: Plan) -> list[tuple[str, str, str]]:
    """Level, rule and fault of what policies found, each fault once, with the names of all resources that have it."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for level, rule, message in dict.fromkeys(plan.violations):
        name, _, fault = last_line(message).partition(": ")
        found.setdefault((level, rule, fault), []).append(name)
    lines: list[tuple[str, str, str]] = []
    for (level, rule, fault), names in found.items():
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        whose = ", ".join(sorted(names)[:_NAMES_SHOWN]) + more
        lines.append((level, rule, f"{whose}: {fault}" if fault else whose))
    return sorted(lines, key=lambda one: (one[0] != "mandatory", one[1:]))


def last_line(message: str) -> str:
    """A policy's message begins with the rule's description; what is wrong comes after it."""
    return message.strip().splitlines()[-1] if message.strip() else ""
