"""The manifest files while they are made: entries, comments for the places that need a person, findings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, cast

from mldeploy.manifest.secret_forms import is_secret_name, secret_form
from mldeploy.migrate.findings import Finding, Outcome
from mldeploy.migrate.table import Field, by_name
from mldeploy.migrate.values import Call, Choice, Unknown, Variable

BASE = "manifest.yaml"
TO_DECIDE = "TO DECIDE"
_NUMBERS = re.compile(r"-?\d+(\.\d+)?")


def overlay(stack: str) -> str:
    """The file of a stack."""
    return f"manifest.{stack}.yaml"


@dataclass
class Draft:
    """What a migration has made so far."""

    root: Path
    """The project's folder: paths of the manifest are relative to it."""
    files: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Manifest files by name."""
    comments: dict[tuple[str, ...], list[str]] = field(default_factory=dict[tuple[str, ...], list[str]])
    """Comments by file and path: `("manifest.yaml", "models", "churn", "source")`."""
    written: dict[str, str] = field(default_factory=dict[str, str])
    """Other files to write, by path: conda files."""
    findings: list[Finding] = field(default_factory=list[Finding])
    secrets: dict[str, str] = field(default_factory=dict[str, str])
    """Keys of the configuration to set, and what they are."""

    # --- entries -----------------------------------------------------------------------------------------

    def entry(self, file: str, section: str, name: str) -> dict[str, Any]:
        """The entry of that name, made when it is new."""
        sections = self.files.setdefault(file, {"version": 1})
        return sections.setdefault(section, {}).setdefault(name, {})

    def put(self, file: str, path: tuple[str, ...], value: Any) -> None:
        """Set a value; the mappings above it are made."""
        where: dict[str, Any] = self.entry(file, path[0], path[1])
        for key in path[2:-1]:
            where = where.setdefault(key, {})
        where[path[-1]] = value

    def comment(self, file: str, path: tuple[str, ...], text: str) -> None:
        """A comment above the key at ``path`` (or, when there is none, above the entry)."""
        lines = self.comments.setdefault((file, *path), [])
        if text not in lines:
            lines.append(text)

    def free_name(self, section: str, wanted: str) -> str:
        """``wanted``, or with a number when another entry has that name."""
        taken = {name for sections in self.files.values() for name in sections.get(section, {})}
        number, name = 2, wanted
        while name in taken:
            name, number = f"{wanted}-{number}", number + 1
        return name

    # --- findings ----------------------------------------------------------------------------------------

    def note(self, outcome: Outcome, where: str, what: str, to: str = "", why: str = "") -> None:
        """Record what became of a field, once."""
        finding = Finding(outcome, where, what, to, why)
        if finding not in self.findings:
            self.findings.append(finding)

    def decide(
        self,
        call: Call,
        name: str,
        file: str,
        path: tuple[str, ...],
        why: str,
        outcome: Outcome = Outcome.DECIDE,
    ) -> None:
        """Record that a person has to decide, also as a comment in the manifest."""
        dotted = ".".join(path)
        self.note(outcome, call.where, f"{call.owner}.{name}", dotted, why)
        self.comment(file, path, f"{TO_DECIDE} ({call.where}, {name}): {why}")

    def settle(self, call: Call, to: str) -> None:
        """Values that a branch left open: the first is taken, and the report names the others."""
        for name, value in call.values.items():
            if not isinstance(value, Choice):
                continue
            call.values[name] = next(
                (one for one in value.values if not isinstance(one, Unknown)), value.values[0]
            )
            plain = all(isinstance(one, str | int | float) for one in value.values)
            plain = plain and not (is_secret_name(name) or "key" in name)
            text = " or ".join(repr(one) for one in value.values) if plain else "one of several"
            if not any(secret_form(str(one)) for one in value.values):
                why = f"{text}, by a condition that only running the script tells; the first is taken"
                self.note(Outcome.DECIDE, call.where, f"{call.owner}.{name}", to, why)

    # --- fields by the table -----------------------------------------------------------------------------

    def apply(
        self,
        call: Call,
        file: str,
        names: dict[str, str],
        handled: frozenset[str] = frozenset(),
        owner: str | None = None,
    ) -> None:
        """Every value of a v1 object whose row in the table says it all.

        Args:
            call: the object.
            file: the manifest file.
            names: the entry's name by section, for the `*` of a row.
            handled: parameters that the caller takes care of.
            owner: the table's owner, when the object goes by another name there.
        """
        for name, value in call.values.items():
            if name in handled or value is None:
                continue
            row = by_name(owner or call.owner, name)
            if row is None:
                self.note(
                    Outcome.DROPPED, call.where, f"{call.owner}.{name}", "", "no documented field of v1"
                )
                continue
            self._field(call, file, names, row, value)

    def _field(self, call: Call, file: str, names: dict[str, str], row: Field, value: Any) -> None:
        what = f"{call.owner}.{row.name}"
        if row.outcome is Outcome.DROPPED or not row.to:
            self.note(Outcome.DROPPED, call.where, what, "", row.why)
            return
        path = _path(row, names)
        if isinstance(value, Unknown | Variable):
            text = value.text if isinstance(value, Unknown) else f"os.environ[{value.name!r}]"
            self.decide(
                call, row.name, file, path, f"the value is `{text}`, which only running the script tells"
            )
            return
        if row.outcome is Outcome.DECIDE:
            if value is False:
                self.note(Outcome.DROPPED, call.where, what, "", "off, as it is here")
            else:
                self.decide(call, row.name, file, path, row.why)
            return
        plain = self.plain(call, row.name, file, path, value)
        if plain is None:
            return
        self.put(file, path, plain)
        self.note(
            row.outcome, call.where, what, ".".join(path), row.why if row.outcome is Outcome.CHANGED else ""
        )

    def plain(self, call: Call, name: str, file: str, path: tuple[str, ...], value: Any) -> Any:
        """A value as the manifest writes it: numbers as numbers, texts of tags as texts, nothing unknown."""
        if name in ("tags", "properties", "environment_variables"):
            return self._texts(call, name, file, path, value)
        if isinstance(value, str):
            if value.strip().lower() in ("true", "false"):
                return value.strip().lower() == "true"
            if name not in (
                "description",
                "model_framework_version",
                "dns_service_ip",
            ) and _NUMBERS.fullmatch(value):
                return float(value) if "." in value else int(value)
            return value
        if isinstance(value, float) and value.is_integer() and name not in ("cpu_cores", "memory_gb"):
            return int(value)
        return value

    def _texts(self, call: Call, name: str, file: str, path: tuple[str, ...], value: Any) -> Any:
        if not isinstance(value, dict):
            self.decide(call, name, file, path, "is no mapping of texts")
            return None
        found: dict[str, Any] = {}
        for key, item in cast("dict[str, Any]", value).items():
            if isinstance(item, Unknown | Variable | Call | dict | list):
                text = item.text if isinstance(item, Unknown) else "not a plain text"
                self.decide(call, f"{name}[{key!r}]", file, path, f"the value is `{text}`")
            else:
                found[key] = (
                    str(item).lower() if isinstance(item, bool) else str("" if item is None else item)
                )
        return found or None

    # --- secrets -----------------------------------------------------------------------------------------

    def secret(self, call: Call, name: str, file: str, path: tuple[str, ...], key: str, what: str) -> None:
        """A reference in place of a secret's value, which is never copied."""
        value = call.get(name)
        dotted = ".".join(path)
        if isinstance(value, Variable):
            self.put(file, path, {"env": value.name})
            why = f"read from the environment variable {value.name} by whoever runs `up`"
        else:
            self.put(file, path, {"config": key})
            self.secrets[key] = what
            why = f"a manifest never holds a secret: `mldeploy config set --secret {key}`"
        self.note(Outcome.CHANGED, call.where, f"{call.owner}.{name}", dotted, why)

    # --- paths -------------------------------------------------------------------------------------------

    def relative(self, value: str, call: Call, base: Path) -> str | None:
        """A path of v1 as one of the manifest; None when it is outside the project.

        v1 read paths relative to the working directory. That was mostly the script's folder, else the project's.
        """
        text = value.replace("\\", "/")
        candidates = [Path(text)] if PurePosixPath(text).is_absolute() else [base / text, self.root / text]
        found = next((one for one in candidates if one.exists()), candidates[0])
        try:
            return found.resolve().relative_to(self.root.resolve()).as_posix()
        except ValueError:
            self.note(
                Outcome.DECIDE,
                call.where,
                f"{call.owner}: {value}",
                "",
                "is outside the project; copy it into it",
            )
            return None


def _path(row: Field, names: dict[str, str]) -> tuple[str, ...]:
    section, _, rest = row.to.partition(".")
    parts = [names.get(section, "") if part == "*" else part for part in rest.split(".")]
    return (section, *parts)


def config_key(*parts: str) -> str:
    """A key of the configuration: `churnPrimaryKey`."""
    words = [word for part in parts for word in re.split(r"[^A-Za-z0-9]+", part) if word]
    first, *rest = [word.lower() if word.isupper() else word for word in words]
    return first[0].lower() + first[1:] + "".join(word[0].upper() + word[1:] for word in rest)


def slug(text: str, limit: int = 50) -> str:
    """A name that every target takes: small letters, digits, single inner hyphens, a letter first."""
    found = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:limit].strip("-")
    return found if found[:1].isalpha() else f"s-{found}".strip("-")
