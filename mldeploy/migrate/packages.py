"""What an image installs: a conda file that is there, or one that is written from packages in code or JSON."""

from __future__ import annotations

import io
import os.path
import re
from pathlib import PurePosixPath
from typing import Any, cast

from ruamel.yaml import YAML

from mldeploy.migrate.draft import BASE
from mldeploy.migrate.findings import Outcome
from mldeploy.migrate.image_parts import Parts
from mldeploy.migrate.mend import Mended, mend
from mldeploy.migrate.values import Call, Unknown


class Packages(Parts):
    """The `conda_file` of an image."""

    def _conda(self, config: Call, value: Any, name: str, folder: str, field: str) -> None:
        path = ("images", name, "conda_file")
        if value is None:
            return
        if isinstance(value, Call | dict):
            self._write_conda(config, cast("Any", value), name, folder, field)
            return
        if not isinstance(value, str):
            self._draft.decide(config, field, BASE, path, "which conda file?")
            return
        found, text = self._conda_text(config, value, folder)
        if text is None:
            self._draft.put(BASE, path, found)
            self._draft.note(Outcome.MAPPED, config.where, f"{config.owner}.{field}", ".".join(path))
            return
        mended, changes = mend(text)
        within = inside(found, folder)
        there = within is not None and (self._draft.root / found).is_file()
        if there and not changes:
            self._draft.put(BASE, path, within)
            self._draft.note(Outcome.MAPPED, config.where, f"{config.owner}.{field}", ".".join(path))
            return
        # v1 read it from the working directory; here it is part of what the image is made of.
        stem = PurePosixPath(found).stem
        given = self._free_file(folder, f"{stem}-v2.yml" if there else PurePosixPath(found).name)
        self._draft.written[in_folder(folder, given)] = mended
        self._draft.put(BASE, path, given)
        why = f"copied from {found}, because a conda file is in source_directory" if within is None else ""
        why = why or (f"{found} as it installs today" if there else f"written by the script as {found}")
        self._draft.note(Outcome.CHANGED, config.where, f"{config.owner}.{field}", ".".join(path), why)
        self._mended(changes, in_folder(folder, given), config.where, ".".join(path))

    def _conda_text(self, config: Call, value: str, folder: str) -> tuple[str, str | None]:
        """A conda file's path in the project and its text; None when it is not there and nothing writes it."""
        beside = os.path.normpath(f"{folder}/{value}")
        whole = beside if not beside.startswith("..") and (self._draft.root / beside).is_file() else None
        whole = whole or self._draft.relative(value, config, self._base)
        if whole is not None and (self._draft.root / whole).is_file():
            return whole, (self._draft.root / whole).read_text("utf-8", errors="replace")
        text = self._state.written.get(os.path.normpath(value))
        if isinstance(text, str):
            return whole or value, text
        return (inside(whole, folder) if whole else None) or PurePosixPath(value).name, None

    def _mended(self, changes: list[Mended], file: str, where: str, to: str) -> None:
        for one in changes:
            after = one.after or "left out"
            self._draft.note(Outcome.CHANGED, where, f"{file}: {one.before} -> {after}", to, one.why)

    def _write_conda(
        self, config: Call, value: Call | dict[str, Any], name: str, folder: str, field: str
    ) -> None:
        """Packages that were listed in code or JSON, as a conda file."""
        self._computed(value, name)
        document = _conda_document(value)
        if isinstance(document, str):
            self._conda(config, document, name, folder, field)
            return
        stream = io.StringIO()
        yaml: Any = YAML()
        yaml.indent(mapping=2, sequence=4, offset=2)
        yaml.dump(document, stream)
        text, changes = mend(stream.getvalue())
        found = self._free_file(folder, "conda.yml")
        self._draft.written[in_folder(folder, found)] = text
        path = ("images", name, "conda_file")
        self._mended(changes, in_folder(folder, found), config.where, ".".join(path))
        self._draft.put(BASE, path, found)
        why = f"its packages are written to {in_folder(folder, found)}"
        self._draft.note(Outcome.CHANGED, config.where, f"{config.owner}.{field}", ".".join(path), why)

    def _computed(self, value: Call | dict[str, Any], name: str) -> None:
        """Packages whose versions the script computes: they are listed without one."""
        if not isinstance(value, Call):
            return
        for key in ("pip_packages", "conda_packages"):
            listed: Any = value.values.get(key)
            for one in cast("list[Any]", listed) if isinstance(listed, list) else []:
                if isinstance(one, Unknown):
                    kept = package_of(one) or "nothing of it is known"
                    why = f"the script computes `{one.text}`: write the version of the training environment ({kept})"
                    self._draft.decide(value, key, BASE, ("images", name, "conda_file"), why)

    def _free_file(self, folder: str, name: str) -> str:
        stem, number, found = PurePosixPath(name).stem, 2, name
        while (self._draft.root / folder / found).exists() or in_folder(folder, found) in self._draft.written:
            found, number = f"{stem}-{number}.yml", number + 1
        return found


def _conda_document(value: Call | dict[str, Any]) -> dict[str, Any] | str:
    """The content of a conda file, or the path of one."""
    if isinstance(value, dict):
        return value
    file = value.get("conda_dependencies_file_path")
    if isinstance(file, str):
        return file
    python = value.get("python_version")
    conda, pip = _texts(value.get("conda_packages")), _texts(value.get("pip_packages"))
    dependencies: list[Any] = ([f"python={python}"] if isinstance(python, str) else []) + conda
    if pip:
        dependencies.append({"pip": pip})
    return {"dependencies": dependencies}


def _texts(value: Any) -> list[str]:
    listed = cast("list[Any]", value) if isinstance(value, list) else [value]
    found = (package_of(one) if isinstance(one, Unknown) else one for one in listed)
    return [one for one in found if isinstance(one, str) and one]


def package_of(value: Unknown) -> str:
    """The name of a package whose version is computed: `numpy` of `f"numpy=={numpy.__version__}"`."""
    return re.split(r"[=<>~! ]", value.known, maxsplit=1)[0]


def inside(path: str, folder: str) -> str | None:
    pure = PurePosixPath(path)
    if folder == ".":
        return pure.as_posix()
    return pure.relative_to(folder).as_posix() if pure.is_relative_to(folder) else None


def in_folder(folder: str, name: str) -> str:
    """A file's path from the project."""
    return PurePosixPath(folder, name).as_posix()
