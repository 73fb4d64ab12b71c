"""Reading a conda file as what pip can install: conda entries by their wheels' names, pip entries as is."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from mldeploy.artifacts.conda_names import CONDA_ONLY, INTERPRETER_PARTS, SERVED, WHEEL_NAMES
from mldeploy.artifacts.wheels import DEFAULT_PYTHON, PYTHONS, minors, pinned, pythons_with

_OPTIONS = ("--index-url", "-i", "--extra-index-url", "--find-links", "-f", "--no-binary", "--only-binary")
# `name` and `prefix` say where conda would put it, `channels` where from: nothing that a service could notice.
_KEYS = ("name", "channels", "dependencies", "prefix")
_ELSEWHERE = {"variables": "write them in the manifest: images.<name>.environment_variables"}
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks that pip understands, too: editors on Windows and PowerShell's `>` write them."""
_MATCH = re.compile(
    r"(?:(?P<channel>[\w.\-/]+)::)?(?P<name>[A-Za-z0-9_.\-]+)\s*(?:\[(?P<bracket>[^\]]*)\])?\s*(?P<version>.*)"
)


@dataclass(frozen=True)
class Entry:
    """One thing to install: a line for a requirements file, and where the user wrote it."""

    line: str
    where: str
    name: str = ""
    conda: bool = False
    digest: str = ""
    """SHA-256 of a file of the project that the line names."""

    @property
    def shown(self) -> str:
        """The line for a digest or a display: without credentials, with the file's hash."""
        text = re.sub(r"(?<=://)[^/@\s]+@", "***@", self.line)
        return f"{text} sha256:{self.digest}" if self.digest else text


@dataclass
class CondaFile:
    """What a conda file asks for."""

    python: str = DEFAULT_PYTHON
    entries: list[Entry] = field(default_factory=list[Entry])
    served: list[str] = field(default_factory=list[str])
    """Listed packages that the scoring server itself stands in for."""
    errors: list[str] = field(default_factory=list[str])
    prereleases: bool = False
    files: list[Path] = field(default_factory=list[Path])
    """The file itself and the requirements files that it includes: nothing else of them counts than what is above."""

    def only_conda(self) -> list[str]:
        """Those of the errors that are none where conda installs: in an image."""
        return [error for error in self.errors if "exists for conda only" in error]

    def pins(self) -> dict[str, str]:
        """The packages that are pinned to a version, and that version."""
        return {name: version for name, version in (pinned(one.line) for one in self.entries) if version}


def read(file: Path, shown: str) -> CondaFile:
    """Parse a conda file.

    Args:
        file: where it is.
        shown: how messages name it.

    Returns:
        What it asks for; ``errors`` holds every fault as ``<file>:<line>: …``.
    """
    found = CondaFile(files=[file])
    try:
        parser: Any = YAML(typ="rt")
        loaded: Any = parser.load(_text(file))
    except OSError as error:
        found.errors.append(f"{shown}: {error.strerror or error}")
        return found
    except (MarkedYAMLError, UnicodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{shown}:{mark.line + 1}" if mark else shown
        found.errors.append(f"{where}: no valid YAML: {getattr(error, 'problem', None) or error}")
        return found
    _Reader(file, shown, found).read(loaded)
    return found


class _Reader:
    def __init__(self, file: Path, shown: str, found: CondaFile) -> None:
        self._file, self._shown, self._found = file, shown, found

    def read(self, loaded: Any) -> None:
        if not isinstance(loaded, dict):
            self._found.errors.append(f"{self._shown}: must be a mapping with `dependencies`")
            return
        document = cast("dict[str, Any]", loaded)
        marks = cast("Any", loaded).lc
        for key in document:
            if key not in _KEYS:
                known = ", ".join(_KEYS)
                hint = _ELSEWHERE.get(key, f"allowed: {known}")
                self._fault(f"{self._shown}:{marks.key(key)[0] + 1}", f"{key!r} has no effect here; {hint}")
        dependencies: Any = document.get("dependencies") or []
        if not isinstance(dependencies, list):
            self._found.errors.append(f"{self._shown}: `dependencies` must be a list")
            return
        for index, item in enumerate(cast("list[Any]", dependencies)):
            where = self._where(dependencies, index)
            if isinstance(item, dict) and set(cast("dict[str, Any]", item)) == {"pip"}:
                self._pip_list(cast("dict[str, Any]", item)["pip"], where)
            elif isinstance(item, str):
                self._conda_entry(item.strip(), where)
            else:
                self._fault(where, f"{item!r} is no dependency: allowed are `name=version` and a `pip:` list")
        self._found.python = _narrowed(self._found.python, [entry.line for entry in self._found.entries])

    def _where(self, container: Any, index: int) -> str:
        return f"{self._shown}:{container.lc.item(index)[0] + 1}"

    def _fault(self, where: str, message: str) -> None:
        self._found.errors.append(f"{where}: {message}")

    # --- conda entries -----------------------------------------------------------------------------------

    def _conda_entry(self, text: str, where: str) -> None:
        match = _MATCH.fullmatch(text)
        if not match:
            self._fault(where, f"{text!r} is no conda dependency; allowed: name, name=1.2, name>=1.2,<2")
            return
        name = match["name"].lower()
        version = _bracket_version(match["bracket"]) if match["bracket"] else match["version"]
        try:
            specifier = _specifier(version or "")
        except InvalidSpecifier:
            self._fault(
                where,
                f"{text!r}: the version {version!r} has no equal in pip; allowed: =1.2, ==1.2.3, >=1,<2",
            )
            return
        if name == "python":
            self._python(text, specifier, where)
        elif name in INTERPRETER_PARTS:
            return
        elif name in CONDA_ONLY or name.startswith(("r-", "cuda-", "lib", "_")):
            reason = CONDA_ONLY.get(name, "it is no Python package")
            self._fault(where, f"{text!r} exists for conda only: {reason}")
        else:
            wheel = WHEEL_NAMES.get(name, name)
            self._add(f"{wheel}{specifier}", where, conda=True)

    def _python(self, text: str, specifier: str, where: str) -> None:
        if not minors(specifier):
            self._fault(
                where,
                f"{text!r}: allowed are Python {PYTHONS[0]} to {PYTHONS[-1]}; remove the line or use 3.11",
            )
            return
        self._found.python = specifier or DEFAULT_PYTHON

    # --- pip entries -------------------------------------------------------------------------------------

    def _pip_list(self, items: Any, where: str) -> None:
        if items is None:
            return
        if not isinstance(items, list):
            self._fault(where, "`pip` must be a list")
            return
        for index, item in enumerate(cast("list[Any]", items)):
            here = self._where(items, index)
            if isinstance(item, str):
                self._pip_line(item, here, self._file, ())
            else:
                self._fault(here, f"{item!r} is no pip requirement")

    def _pip_line(self, line: str, where: str, file: Path, above: tuple[Path, ...]) -> None:
        text = re.sub(r"(^|\s)#.*$", "", line).strip()
        if not text:
            return
        option, _, value = re.sub(r"^(-[rcif]|--[a-z-]+)[=\s]\s*", r"\1 ", text).partition(" ")
        if option in ("-r", "--requirement"):
            self._requirements_file(value.strip(), where, file, above)
        elif option == "--pre":
            self._found.prereleases = True
        elif option in _OPTIONS:
            self._found.entries.append(Entry(text, where))
        elif option.startswith("-"):
            allowed = ", ".join(("-r", "--pre", *_OPTIONS))
            hint = (
                "; a service needs a copy: write the package's path without it"
                if option in ("-e", "--editable")
                else ""
            )
            self._fault(where, f"the option {option!r} is not allowed here{hint}; allowed: {allowed}")
        elif text.endswith((".whl", ".tar.gz", ".zip")) and "://" not in text and "@" not in text:
            self._local_file(text, where, file)
        else:
            self._add(text, where, conda=False)

    def _requirements_file(self, name: str, where: str, file: Path, above: tuple[Path, ...]) -> None:
        target = file.parent / name
        if target in above:
            self._fault(where, f"{name} includes itself")
            return
        try:
            lines = list(_logical_lines(_text(target)))
        except (OSError, UnicodeError) as error:
            self._fault(where, f"-r {name}: {getattr(error, 'strerror', None) or error}")
            return
        self._found.files.append(target)
        prefix = self._shown.rsplit("/", 1)[0] + "/" if "/" in self._shown else ""
        for number, line in lines:
            self._pip_line(line, f"{prefix}{name}:{number}", target, (*above, target))

    def _local_file(self, text: str, where: str, file: Path) -> None:
        path = (file.parent / text).resolve()
        if not path.is_relative_to(self._file.parent.resolve()) or not path.is_file():
            self._fault(where, f"{text!r}: no such file beside {self._file.name}")
            return
        with path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        self._found.entries.append(
            Entry(path.relative_to(self._file.parent.resolve()).as_posix(), where, digest=digest)
        )

    def _add(self, text: str, where: str, *, conda: bool) -> None:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            if re.match(r"(git|hg|svn|bzr)\+|https?://", text):
                hint = f"write it as `name @ {_without_credentials(text)}`"
            else:
                hint = str(error).splitlines()[0]
            self._fault(where, f"{text!r} is no pip requirement: {hint}")
            return
        name = canonicalize_name(requirement.name)
        if (requirement.url or "").startswith("file:") or re.match(r"[./]", requirement.url or ""):
            self._fault(
                where,
                f"{text!r} is a file of the machine that wrote this: write `{requirement.name}==<version>`, or put "
                f"the wheel beside {self._file.name} and write its name",
            )
            return
        if name in SERVED:
            self._found.served.append(name)
            return
        if name == "inference-schema":
            # The server's own requirement has the version; the extras say which parameter types a script
            # uses.
            self._found.served.append(name)
            extras = ",".join(sorted(requirement.extras))
            text = f"inference-schema[{extras}]" if extras else ""
        if text:
            self._found.entries.append(Entry(text, where, name, conda))


def _text(file: Path) -> str:
    data = file.read_bytes()
    return data.decode(next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8"))


def _without_credentials(text: str) -> str:
    """An address as a message may repeat it. The user of ssh is none: without it there is no login."""
    if re.match(r"(git\+)?ssh://", text):
        return re.sub(r"(?<=://)([^/@:\s]+):[^/@\s]+@", r"\1@", text)
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """(number, line) of a requirements file, continued lines joined, hashes of lock files left out."""
    start, held = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        start = start if held else number
        if line.rstrip().endswith("\\"):
            held += line.rstrip()[:-1] + " "
            continue
        yield start, re.sub(r"\s--hash=\S+", "", held + line)
        held = ""
    if held:
        yield start, re.sub(r"\s--hash=\S+", "", held)


def _bracket_version(text: str) -> str:
    match = re.search(r"version\s*=\s*['\"]?([^'\"\]]+)['\"]?", text)
    return match[1] if match else ""


def _specifier(version: str) -> str:
    """A conda version constraint as a PEP 440 specifier: ``=1.2`` means ``==1.2.*``.

    Raises:
        InvalidSpecifier: pip has no equal for it.
    """
    parts: list[str] = []
    for piece in version.strip().split(","):
        text = piece.strip()
        if not text or text == "*":
            continue
        if "|" in text:
            raise InvalidSpecifier(text)
        exact = re.fullmatch(r"={1,2}\s*([^=\s]+)\s*=\s*\S+", text) or re.fullmatch(
            r"([\d][^=\s]*)\s+\S+", text
        )
        if exact:  # version and build: the build says nothing about a wheel
            parts.append(f"=={exact[1]}")
        elif text.startswith("==") or re.match(r"[<>!~]", text):
            parts.append(text.replace(" ", ""))
        else:
            base = text.removeprefix("=").strip()
            # `0.22.2.post1` is one version: nothing can follow it.
            whole = base.endswith("*") or re.search(r"[a-z]", base) is not None
            parts.append(f"=={base}" if whole else f"=={base}.*")
    return str(SpecifierSet(",".join(parts)))


def _narrowed(python: str, lines: list[str]) -> str:
    """The versions of Python for which all pinned packages have wheels, as far as that is known.

    Else an image and a process of the same file, which begin from different defaults, end differently.
    """
    allowed = fits = minors(python)
    for name, version in map(pinned, lines):
        if version:
            fits = tuple(one for one in pythons_with(name, version, python) if one in fits)
    if not fits or fits == allowed:
        return python
    below = f"<3.{int(fits[-1].partition('.')[2]) + 1}"
    return f">={PYTHONS[0]},{below}" if python == DEFAULT_PYTHON else f"{python},{below}"
