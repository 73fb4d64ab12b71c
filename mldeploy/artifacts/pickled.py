"""Models that are pickles: what of them no environment can load, or nobody should."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from mldeploy.artifacts.pickles import PickleError, PickleFacts, looks_like_pickle, read_pickle
from mldeploy.artifacts.script_imports import gone
from mldeploy.artifacts.wheels import numbers_of, too_old_version

_SUFFIXES: Final = (".pkl", ".pickle", ".joblib")
_LARGEST: Final = 200 << 20
"""Files above it are not looked into when a manifest is checked: reading one takes seconds."""
# What no model needs, whoever made it: a pickle that names one of these wants to do something else.
_DANGEROUS: Final = re.compile(
    r"(os|posix|nt|subprocess|pty|sys|shutil|socket|importlib|runpy|code|ctypes|webbrowser|asyncio|pip|signal)\..*"
    r"|(builtins|__builtin__)\.(eval|exec|compile|open|__import__|globals|input|breakpoint)"
)
_TREES: Final = "sklearn.tree._tree.Tree"
_TREES_SINCE: Final = (1, 3)


@dataclass(frozen=True)
class Pickled:
    """A pickle among a model's files."""

    name: str
    """From the model's source on: `churn.pkl`, `churn/model.pkl`."""
    facts: PickleFacts

    def danger(self, allowed: frozenset[str] = frozenset()) -> str | None:
        """Why nobody should load it; None when it names only what models need, and what is allowed."""
        return danger(self.name, self.facts, allowed)

    def unloadable(self, scikit_learn: str | None = None) -> str | None:
        """Why loading it fails for certain; None when nobody knows that.

        Args:
            scikit_learn: the version of its environment, when that is pinned.
        """
        lost = [(one, said) for one in sorted(self.facts.globals) if (said := gone(one))]
        if lost:
            name, said = lost[0]
            return (
                f"{self.name} holds a {name}{self._made()}, which nothing that installs today can load ({said}): "
                "load it with the library that made it and save it anew, or retrain"
            )
        made = self.facts.versions.get("scikit-learn", frozenset())
        older = [one for one in sorted(made) if numbers_of(one) < _TREES_SINCE]
        new = scikit_learn if scikit_learn and numbers_of(scikit_learn) >= _TREES_SINCE else None
        if _TREES in self.facts.globals and older and new:
            return (
                f"{self.name} holds trees of scikit-learn {older[0]}, which {new} cannot load (their format "
                f"changed in 1.3): write scikit-learn=={older[0]} into the conda file, or save the model anew"
            )
        return None

    def old(self) -> str | None:
        """The library that made it, when no version of that kind installs today."""
        for package, versions in sorted(self.facts.versions.items()):
            for version in sorted(versions):
                why = too_old_version(package, version)
                if why:
                    return f"{self.name} was made by {package} {version}, and {why}"
        return None

    def _made(self) -> str:
        versions = sorted(self.facts.versions.get("scikit-learn", ()))
        return f" of scikit-learn {' and '.join(versions)}" if versions else ""


def danger(name: str, facts: PickleFacts, allowed: frozenset[str] = frozenset()) -> str | None:
    """What a pickle would call that no model needs, as a message; None when there is nothing."""
    wrong = sorted(one for one in facts.globals - allowed if _DANGEROUS.fullmatch(one))
    if not wrong:
        return None
    return (
        f"{name} would call {', '.join(wrong)} when it is loaded, which no model needs: it is not deployed; find out "
        "who made it, and save the model anew"
    )


def pickles_in(source: Path) -> Iterator[Pickled]:
    """The pickles of a model's file or folder that can be read; what is none of them is passed over.

    Raises:
        OSError: a file cannot be read.
    """
    files = [source] if source.is_file() else sorted(one for one in source.rglob("*") if one.is_file())
    for file in files:
        found = file.stat()
        if found.st_size > _LARGEST or not found.st_size:
            continue
        facts = _facts(file, found.st_mtime_ns, found.st_size)
        if facts is not None:
            name = file.name if file == source else f"{source.name}/{file.relative_to(source).as_posix()}"
            yield Pickled(name, facts)


@lru_cache(maxsize=512)
def _facts(file: Path, _mtime: int, _size: int) -> PickleFacts | None:
    if file.suffix.lower() not in _SUFFIXES and not looks_like_pickle(file):
        return None
    try:
        return read_pickle(file)
    except PickleError:
        return None  # whoever loads it says what is wrong with it
