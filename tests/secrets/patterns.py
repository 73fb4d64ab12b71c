"""What credentials look like, after the rules of gitleaks and GitHub's secret scanning."""

from __future__ import annotations

import re
from collections.abc import Iterator

PATTERNS = {
    "private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*\n(?:[A-Za-z0-9+/=]{20,}\s*\n){2,}",
    "Azure storage key": r"AccountKey=[A-Za-z0-9+/]{60,}={0,2}",
    "shared access key": r"SharedAccessKey=[A-Za-z0-9+/]{40,}={0,2}",
    "shared access signature": r"[?&]sig=[A-Za-z0-9%+/]{40,}",
    "Entra client secret": r"\b[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}",
    "Azure DevOps token": r"\b[a-z2-7]{52}\b(?![a-z0-9=])",
    "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})",
    "Pulumi token": r"\bpul-[0-9a-f]{40}\b",
    "AWS key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "Google key": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "Slack token": r"\bxox[baprs]-[0-9A-Za-z-]{20,}",
    "PyPI token": r"\bpypi-AgEIcHlwaS[A-Za-z0-9_-]{50,}",
    "JSON web token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "URL with a password": r"https?://[^/\s:@\"'<>{}]+:[^/\s:@\"'<>{}*$]{6,}@[\w.-]+",
    "salt of a stack": r"(?m)^encryptionsalt: v1:",
}
_COMPILED = {name: re.compile(pattern) for name, pattern in PATTERNS.items()}


def found(text: str) -> Iterator[tuple[str, str]]:
    """The kind and the text of everything that looks like a credential."""
    for name, pattern in _COMPILED.items():
        for match in pattern.finditer(text):
            yield name, match[0]
