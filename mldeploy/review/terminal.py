"""A preview as a person reads it in a terminal: by service, what changes, why, and what that means for its clients."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from mldeploy.manifest import Manifest
from mldeploy.review.causes import causes
from mldeploy.review.markdown import consequences, last_line, violations
from mldeploy.review.plan import ENDPOINTS, Change, Plan

SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-"}
_DONE = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}
_GROUPS = {"Foundation": "foundation", "AksCluster": "cluster", "ServingNamespace": "cluster"}
_INDENT = " " * 6
_KINDS_SHOWN = 6
Key = tuple[str, str]
"""What a resource belongs to: ("service", its name), ("model", …), ("image", …), ("cluster", …), ("foundation", "")."""


def lines(stack: str, plan: Plan, manifest: Manifest, *, ok: bool, width: int) -> list[str]:
    """The plan, no line longer than ``width`` save for words that are.

    Args:
        stack: the stack's name.
        plan: what the preview found.
        manifest: the stack's.
        ok: whether the preview succeeded.
        width: columns.
    """
    groups = _folded(_grouped(plan, manifest), manifest)
    text = [_head(stack, groups, manifest, ok=ok)]
    for key in sorted(groups, key=lambda key: (key[0] != "service", key)):
        text += ["", *_group(key, groups[key], manifest, width)]
    text += _said(plan, width)
    return [*text, "", *_block(_counts(plan), width)]


def _grouped(plan: Plan, manifest: Manifest) -> dict[Key, list[Change]]:
    groups: dict[Key, list[Change]] = {}
    for change in plan.changes:
        if not change.type.startswith(("pulumi:pulumi:Stack", "pulumi:providers:")):
            groups.setdefault(_key(change, manifest), []).append(change)
    return groups


def _key(change: Change, manifest: Manifest) -> Key:
    path, _, name = change.top.rpartition("::")
    kind = path.rsplit("::", 1)[-1]
    last = kind.rsplit(":", 1)[-1]
    if last in ENDPOINTS:
        return "service", name
    if kind.startswith(("mldeploy:model:", "mldeploy:image:")):
        return kind.split(":")[1], name.removesuffix("-image")
    if last in _GROUPS:
        return _GROUPS[last], "" if last == "Foundation" else name.removesuffix(
            "-cluster" * (last == "AksCluster")
        )
    owner = next((one for one in manifest.services if name.startswith(f"{one}-")), None)
    return ("service", owner) if owner else (last, name)


def _folded(groups: dict[Key, list[Change]], manifest: Manifest) -> dict[Key, list[Change]]:
    """Images and models go where the first service is that runs them; what no service runs stays on its own."""
    used: dict[Key, str] = {}
    for name, service in sorted(manifest.services.items()):
        used.setdefault(("image", service.image), name)
        for model in manifest.images[service.image].models:
            used.setdefault(("model", model), name)
    found: dict[Key, list[Change]] = {}
    for key, changes in groups.items():
        target = ("service", used[key]) if key in used else key
        found.setdefault(target, []).extend(changes)
    return found


def _head(stack: str, groups: dict[Key, list[Change]], manifest: Manifest, *, ok: bool) -> str:
    if not ok:
        return f"The preview of stack {stack} failed."
    changing = {name for kind, name in groups if kind == "service"}
    if not groups:
        return f"Stack {stack}: nothing changes."
    same = len(set(manifest.services) - changing)
    kept = f", {same} stay as they are" if same > 1 else ", one stays as it is" if same else ""
    number = len(changing)
    what = (
        "no service changes"
        if not number
        else f"{number} service{'s' * (number > 1)} change{'s' * (number == 1)}"
    )
    return f"Stack {stack}: {what}{kept}."


def _group(key: Key, changes: Sequence[Change], manifest: Manifest, width: int) -> Iterator[str]:
    kind, name = key
    entry = manifest.services.get(name) if kind == "service" else None
    where = f" on {entry.target} ({manifest.targets[entry.target].type})" if entry else ""
    title = name if kind == "service" else f"{kind} {name}".rstrip()
    yield f"  {SIGNS[whole(changes)]} {title}{where}"
    if kind == "service":
        for cause in causes(manifest, name, list(changes)):
            yield from wrapped(f"because: {cause}", width)
        own = [
            one
            for one in changes
            if one.kind in ENDPOINTS or "Endpoint" in one.parent or "EdgeModule" in one.parent
        ]
        for text in dict.fromkeys(consequences(own or list(changes))):
            yield from wrapped(text.replace("**", ""), width)
    yield from wrapped(resources(changes), width)


def whole(changes: Sequence[Change]) -> str:
    """What happens to the group: as its component says, else what all resources have in common, else an update."""
    components = {one.op for one in changes if one.kind in ENDPOINTS}
    ops = components or {one.op for one in changes}
    return ops.pop() if len(ops) == 1 else "update"


def resources(changes: Sequence[Change]) -> str:
    """`2 replaced, 1 updated: Replica, Gate, Listener`."""
    counted = Counter(one.op for one in changes)
    kinds = list(dict.fromkeys(one.kind for one in changes))
    left = len(kinds) - _KINDS_SHOWN
    more = f" and {left} more kind{'s' * (left > 1)}" if left > 0 else ""
    counts = ", ".join(f"{counted[op]} {word}" for op, word in _DONE.items() if counted[op])
    return f"resources: {counts} ({', '.join(kinds[:_KINDS_SHOWN])}{more})"


def _said(plan: Plan, width: int) -> Iterator[str]:
    for severity, text in dict.fromkeys(plan.notes):
        label = "" if severity.startswith("info") else f"{severity}: "
        yield from ("", *_block(label + text, width))
    order = violations(plan)
    if order:
        yield from ("", "Policies:")
        for level, rule, message in order:
            yield from wrapped(f"{level} {rule}: {last_line(message)}", width)
    for text in dict.fromkeys(plan.errors):
        yield from ("", *_block(f"error: {text}", width))


def _counts(plan: Plan) -> str:
    changed = [f"{plan.counts[op]} to {op}" for op in SIGNS if plan.counts[op]]
    same = [f"{plan.counts['same']} unchanged"] if plan.counts["same"] else []
    return f"Resources: {', '.join([*changed, *same]) or 'none'}. --diff shows every property"


def wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _block(text: str, width: int) -> list[str]:
    """A message: sentences are wrapped, what is indented (tracebacks, logs) stays as it is."""
    found: list[str] = []
    for line in text.splitlines():
        keep = line.startswith((" ", "\t")) or not line.strip()
        found += (
            [line] if keep else textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False)
        )
    return found
