"""A build tomorrow installs what a build today does."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from mldeploy_policies.reading import items, text
from mldeploy_policies.rule import Rule, Settings

_PINNED = re.compile(r"==|===|@|://|sha256:|^-")


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    loose = [line for line in items(args.props, "dependencies") if text(line) and not _PINNED.search(line)]
    if loose:
        yield f"installs packages without a version: {', '.join(loose)}"


RULE = Rule(
    name="pinned-packages",
    description="Packages of conda files have exact versions.",
    fix="Write name=1.2.3 for conda and name==1.2.3 for pip.",
    types=("mldeploy:image:Environment",),
    check=check,
)
