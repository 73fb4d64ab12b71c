"""What a script can import: its own modules first, also one of the name `serving`, which is this package's too."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import serving


def make_importable(entry_script: str, source_directory: str) -> None:
    """Put the script's folders in front of the path. The server is loaded: none of their modules can hide its own."""
    folders = list(dict.fromkeys((str(Path(entry_script).parent), source_directory)))
    sys.path[:] = [*folders, *(entry for entry in sys.path if entry not in folders)]
    _share_name(folders)


def _share_name(folders: Iterable[str]) -> None:
    """Let `import serving` in a script find the script's own `serving.py` or `serving/` behind the server's modules."""
    own = Path(__file__).parent
    for folder in map(Path, folders):
        package = folder / "serving"
        if package.resolve() == own:
            continue
        if package.is_dir() and str(package) not in serving.__path__:
            serving.__path__.append(str(package))
        file = next((f for f in (package / "__init__.py", folder / "serving.py") if f.is_file()), None)
        if file is not None:
            serving.__dict__["__getattr__"] = _Namesake(file)
            return


class _Namesake:
    """What this package has not, the script's module of the same name may have: it is loaded when it is asked for."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._module: ModuleType | None = None

    def __call__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module 'serving' has no attribute {name!r}")
        if self._module is None:
            # Under its own name, so that what it defines can be pickled and unpickled.
            spec = importlib.util.spec_from_file_location("serving", self._file)
            assert spec is not None
            assert spec.loader is not None
            self._module = module = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(module)
            except BaseException:
                self._module = None
                raise
        try:
            return getattr(self._module, name)
        except AttributeError:
            raise AttributeError(
                f"neither the scoring server's package 'serving' nor {self._file} has {name!r}"
            ) from None
