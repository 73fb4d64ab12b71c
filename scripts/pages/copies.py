"""Files that lie beside `docs/` and are pages of the site, too."""

from __future__ import annotations

import re

from scripts.pages import ROOT

_PAGES = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "security-policy.md": "SECURITY.md",
    "pipelines.md": "pipelines/README.md",
}
_LINKS = {
    "docs/adr/": "adr/index.md",
    "docs/": "",
    "LICENSE": None,
}
"""Where links of those files lead on the site; None: nowhere, the words stay."""


def pages() -> dict[str, str]:
    """The copies, with links that work on the site."""
    return {page: _moved((ROOT / file).read_text("utf-8")) for page, file in _PAGES.items()}


def _moved(text: str) -> str:
    return re.sub(r"\[([^\]]+)\]\(([^)]+)\)", _link, text)


def _link(found: re.Match[str]) -> str:
    words, target = found[1], found[2]
    target = re.sub(r"^\.\./", "", target)
    if "://" in target:
        return found[0]
    for page, file in _PAGES.items():
        if target == file:
            return f"[{words}]({page})"
    for start, moved in _LINKS.items():
        if target.startswith(start):
            rest = "" if start == "docs/adr/" else target.removeprefix(start)
            return words if moved is None else f"[{words}]({moved}{rest})"
    return found[0]
