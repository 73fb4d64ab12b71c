"""Secrets written in clear. Messages never repeat them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.rules.draft import Draft
from mldeploy.manifest.validation import Fault

_FORMS: Final = (
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("an account key", re.compile(r"(AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{20,}")),
    ("a shared access signature", re.compile(r"[?&;]sig=[A-Za-z0-9%+/=]{20,}")),
    ("a password in a URL", re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s@]+@")),
    ("a GitHub token", re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})")),
    (
        "an access token",
        re.compile(
            r"\b(AKIA[0-9A-Z]{16}|xox[abpr]-[A-Za-z0-9-]{20,}|hf_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9_-]{24,})"
        ),
    ),
    ("a JSON web token", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.")),
)
_MARKS: Final = ("----", "Key=", "sig=", "://", "gh", "AKIA", "xox", "hf_", "sk-", "eyJ")
_SECRET_NAME: Final = re.compile(
    r"(^|[_.-])(password|passwd|pwd|secret|token|credentials?|(api|access|account|private|secret)[_-]?key"
    r"|connection[_-]?string)$",
    re.IGNORECASE,
)
_NAMED: Final = ("environment_variables", "tags", "properties", "labels", "desired")
_LEAST = 8
_REFER = "write a reference: {config: <key>}, {env: <NAME>} or {keyvault: <name>}"
_REMOVE = "remove it from the manifest, and replace it where it is used"


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """Every text of the manifest, also those under unknown keys."""
    yield from _walk(draft.raw, (), named=False)


def _walk(value: Any, path: NodePath, *, named: bool) -> Iterator[Fault]:
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from _walk(item, (*path, key), named=named or key in _NAMED)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _walk(item, (*path, index), named=named)
    elif isinstance(value, str) and len(value) >= _LEAST:
        fix = _REFER if "environment_variables" in path else _REMOVE
        found = _form(value)
        if found:
            yield Fault(path, f"looks like {found} in clear text; {fix}")
        elif named and " " not in value and _SECRET_NAME.search(str(path[-1])):
            yield Fault(path, f"looks like a secret in clear text, by its name; {fix}")


def _form(text: str) -> str | None:
    if not any(mark in text for mark in _MARKS):
        return None
    return next((what for what, expression in _FORMS if expression.search(text)), None)
