"""A build tomorrow installs what a build today does."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from mldeploy_policies.reading import LOCAL_IMAGE, PRESENCE, items, text
from mldeploy_policies.rule import Rule, Settings

# One version: `==1.2.3`, not `==1.*`; a file by its address; an option of pip.
_PINNED = re.compile(r"==[^*,]+(;.*)?|.*( @ |://).*|.*--hash=sha256:.*|-.*")
_NAME = re.compile(r"[A-Za-z0-9._-]+(\[[^\]]*\])?\s*(?=[=@])")
_PATHS = {"mldeploy:image:Environment": "dependencies", PRESENCE: "packages", LOCAL_IMAGE: "packages"}


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    lines = [text(line) for line in items(args.props, _PATHS[args.resource_type])]
    loose = [line for line in lines if line and not _PINNED.fullmatch(_NAME.sub("", line, count=1).strip())]
    if loose:
        yield f"installs packages without one exact version: {', '.join(loose)}"


RULE = Rule(
    name="pinned-packages",
    description="Packages of conda files have exact versions.",
    fix="Write name=1.2.3 for conda and name==1.2.3 for pip.",
    types=tuple(_PATHS),
    check=check,
)
