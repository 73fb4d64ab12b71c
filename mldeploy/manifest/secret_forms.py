"""What secrets look like when somebody writes them in clear."""

from __future__ import annotations

import re
from typing import Final

_FORMS: Final = (
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("an account key", re.compile(r"(AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{20,}")),
    ("a shared access signature", re.compile(r"[?&;]sig=[A-Za-z0-9%+/=]{20,}")),
    ("a password in a URL", re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@")),
    ("a GitHub token", re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})")),
    (
        "an access token",
        re.compile(
            r"\b(AKIA[0-9A-Z]{16}|xox[abpr]-[A-Za-z0-9-]{20,}|hf_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9_-]{24,})"
        ),
    ),
    ("a JSON web token", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.")),
)
_MARKS: Final = ("-----B", "Key=", "sig=", "://", "gh", "AKIA", "xox", "hf_", "sk-", "eyJ")
_NAME: Final = re.compile(
    r"(^|[_.-])(password|passwd|pwd|secret|token|credentials?|(api|access|account|private|secret)[_-]?key"
    r"|connection[_-]?string)$",
    re.IGNORECASE,
)


def secret_form(text: str) -> str | None:
    """What kind of secret ``text`` looks like, by its own form."""
    if not any(mark in text for mark in _MARKS):
        return None
    return next((what for what, expression in _FORMS if expression.search(text)), None)


def is_secret_name(name: str) -> bool:
    """Whether a value called ``name`` is most likely a secret: ``DB_PASSWORD``."""
    return _NAME.search(name) is not None
