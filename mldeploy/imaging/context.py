"""The build context as a folder: what the image needs, nothing else, and always the same bytes."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mldeploy.artifacts import conda, scoring_server
from mldeploy.artifacts.content import Entry, SqliteHashCache, digest, entries, source_ignore
from mldeploy.artifacts.sources import empty_folders, inside, locate, model_entries
from mldeploy.artifacts.wheels import minors
from mldeploy.home import cache_dir
from mldeploy.imaging import dockerfile

FOLDER: Final = "build/images"
DEFAULT_PYTHONS: Final = ("3.12", "3.11", "3.13", "3.10")
_SERVING_IGNORED: Final = (".", "__pycache__", "build", "dist")
_SCRIPTS: Final = Path(__file__).parent / "scripts"
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


class ImageError(ValueError):
    """An image cannot be described: what is wrong, where, and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class ContextModel:
    """A model that goes into the image."""

    name: str
    version: str
    source: str
    """A path relative to the project, or `runs:/…`."""


@dataclass(frozen=True, kw_only=True)
class ContextSpec:
    """What an image is made of. Paths are relative to the project."""

    image: str
    source_directory: str
    entry_script: str
    models: Sequence[ContextModel] = ()
    conda_file: str | None = None
    base_image: str | None = None
    """Default: the slim Python image of the version that the conda file asks for."""
    wheels: str | None = None
    """A folder with all packages as wheels, for builds without a network."""
    extra_requirements: Sequence[str] = ()
    """What the target needs besides, as pip requirements."""
    serving_extras: Sequence[str] = ()
    """Optional dependencies of the scoring server, by name."""
    build_secrets: bool = True
    """Whether the builder is BuildKit, which can mount a `pip.conf` as a secret."""


@dataclass(frozen=True)
class BuildContext:
    """A rendered context."""

    folder: str
    """Relative to the project, with `/`."""
    digest: str
    """SHA-256 over every name and byte in it, 64 hexadecimal digits."""
    base_image: str
    packages: tuple[str, ...] = ()
    """What the conda file asks for, as pip requirements."""

    @property
    def tag(self) -> str:
        """The image's tag."""
        return self.digest[:32]


def render(root: Path, spec: ContextSpec) -> BuildContext:
    """Write the context under ``build/images/<image>`` of the project; files that did not change are left alone.

    Raises:
        ImageError: the conda file or the script cannot be used.
        ContentError: a source cannot be read.
    """
    source = inside(spec.source_directory, root)
    if not (source / spec.entry_script).is_file():
        raise ImageError(f"image {spec.image}: no file {spec.entry_script!r} in {spec.source_directory}")
    target = root / FOLDER / spec.image
    wanted: dict[str, Entry | str] = {}
    recipe, packages = _packages(root, spec, wanted)
    for entry in entries(source, source_ignore(source)):
        wanted[f"source/{entry.name}"] = entry
    for entry in entries(scoring_server.package()):
        if not any(part.startswith(_SERVING_IGNORED) for part in entry.name.split("/")):
            wanted[f"serving/{entry.name}"] = entry
    for model in spec.models:
        for entry in model_entries(locate(model.source, root)):
            wanted[f"models/{model.name}/{model.version}/{entry.name}"] = entry
    if not spec.models:
        wanted["models/.none"] = ""
    wanted["Dockerfile"] = dockerfile.text(recipe)
    wanted[".dockerignore"] = "Dockerfile\n.dockerignore\n"
    _write(target, wanted)
    cache = SqliteHashCache(cache_dir() / "hashes.sqlite")
    return BuildContext(f"{FOLDER}/{spec.image}", digest(target, cache=cache), recipe.base_image, packages)


def _packages(
    root: Path, spec: ContextSpec, wanted: dict[str, Entry | str]
) -> tuple[dockerfile.Recipe, tuple[str, ...]]:
    """Add the requirement files; say how to install them, and what was asked for."""
    wanted["serving-requirements.txt"] = "".join(
        f"{line}\n" for line in (*scoring_server.requirements(spec.serving_extras), *spec.extra_requirements)
    )
    wanted["check_base.py"] = (_SCRIPTS / "check_base.py").read_text("utf-8")
    wanted["sbom.py"] = (_SCRIPTS / "sbom.py").read_text("utf-8")
    names = {model.name: model.version for model in spec.models}
    model_dir = dockerfile.MODELS
    if len(spec.models) == 1:
        model_dir += f"/{spec.models[0].name}/{spec.models[0].version}"
    found, needs_conda, options = conda.CondaFile(), False, list[str]()
    if spec.conda_file:
        shown = f"{spec.source_directory.rstrip('/')}/{spec.conda_file}"
        path = root / spec.source_directory / spec.conda_file
        found = conda.read(path, shown)
        only_conda = found.only_conda()
        if len(only_conda) != len(found.errors):
            raise ImageError("; ".join(error for error in found.errors if error not in only_conda))
        needs_conda = bool(only_conda)
        if needs_conda:
            wanted["conda.yml"] = path.read_text("utf-8")
    lines: list[str] = []
    for entry in found.entries:
        if _CREDENTIALS.search(entry.line):
            raise ImageError(
                f"{entry.where}: credentials in a package's address would end up in the image's build context; "
                "give them as the build secret pip.conf"
            )
        if entry.digest:
            # A wheel of the project: pip finds it beside the requirements.
            path = inside(f"{spec.source_directory}/{entry.line}", root)
            wanted[f"files/{path.name}"] = Entry(path.name, path, path.stat().st_size)
        lines.append(f"./files/{Path(entry.line).name}" if entry.digest else entry.line)
    if found.prereleases:
        options.append("--pre")
    wanted["requirements.txt"] = "".join(f"{line}\n" for line in lines)
    if spec.wheels:
        for entry in entries(inside(spec.wheels, root)):
            wanted[f"wheels/{entry.name}"] = entry
    recipe = dockerfile.Recipe(
        image=spec.image,
        base_image=spec.base_image or default_base(found.python),
        entry_script=spec.entry_script,
        models=names,
        model_dir=model_dir,
        empty_folders=[
            f"{model.name}/{model.version}/{name}"
            for model in spec.models
            for name in empty_folders(locate(model.source, root))
        ],
        conda=needs_conda,
        offline=spec.wheels is not None,
        build_secrets=spec.build_secrets,
        local_files=any(name.startswith("files/") for name in wanted),
        pip_options=options,
    )
    return recipe, tuple(sorted({entry.shown for entry in found.entries}))


def default_base(python: str) -> str:
    """Debian with that Python, from Microsoft's registry: Docker Hub refuses anonymous pulls beyond a small number,
    which builds in a cloud share with everybody (https://docs.docker.com/docker-hub/usage/)."""
    return f"mcr.microsoft.com/devcontainers/python:1-{_python(python)}-bookworm"


def _python(specifier: str) -> str:
    allowed = minors(specifier)
    found = next((minor for minor in DEFAULT_PYTHONS if minor in allowed), None)
    if found is not None:
        return found
    raise ImageError(f"no base image for Python {specifier!r}; allowed: {', '.join(sorted(DEFAULT_PYTHONS))}")


def _write(target: Path, wanted: Mapping[str, Entry | str]) -> None:
    """Make ``target`` hold exactly ``wanted``. Modes and times are fixed, because builders look at them."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(target.rglob("*"), reverse=True):
        name = path.relative_to(target).as_posix()
        if path.is_symlink() or path.is_file():
            if name not in wanted:
                path.unlink()
        elif not any(other.startswith(f"{name}/") for other in wanted):
            shutil.rmtree(path)
    for name, content in sorted(wanted.items()):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            if not path.is_file() or path.read_text("utf-8") != content:
                path.write_text(content, "utf-8")
        elif not _same(path, content):
            path.unlink(missing_ok=True)
            shutil.copyfile(content.path, path)
            # The source's time tells at the next plan that nothing changed; the digest does not look at it.
            os.utime(path, ns=(content.path.stat().st_atime_ns, content.path.stat().st_mtime_ns))
        runs = not isinstance(content, str) and content.path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if runs else 0o644)
    for folder in [target, *(path for path in target.rglob("*") if path.is_dir())]:
        folder.chmod(0o755)


def _same(path: Path, entry: Entry) -> bool:
    try:
        copy, original = path.stat(), entry.path.stat()
    except OSError:
        return False
    return copy.st_size == entry.size and copy.st_mtime_ns == original.st_mtime_ns
