"""What a pickle says of itself without being loaded: the names it would import, and the versions it was made with.

A pickle is a program. Here it runs on a machine that imports nothing: each global is a :class:`_Stub` that remembers
its name, calling one makes another. So the objects' states can be looked at (scikit-learn writes its version into each
estimator's), and what the program would have called is known. joblib's files are read as well: behind the object that
stands for an array come the array's raw bytes, and the whole may be compressed.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import math
import pickle
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, cast

_MOST_BYTES = 16 << 30
"""The most that is read of a file, decompressed."""
_MOST_OBJECTS = 20_000_000
_KEPT_BYTES = 1 << 20
"""Longer byte strings are arrays' contents: they are passed over."""
_VERSION_KEYS = {"_sklearn_version": "scikit-learn"}
_JOBLIB_ARRAY = "joblib.numpy_pickle.NumpyArrayWrapper"


class PickleError(Exception):
    """The file is no pickle that can be read; the message says why."""


@dataclass(frozen=True)
class PickleFacts:
    """What a pickle says of itself."""

    globals: frozenset[str]
    """What it would import, as `module.name`."""
    versions: dict[str, frozenset[str]]
    """By distribution, the versions that its objects say they were made with."""
    named_columns: bool = False
    """Whether an estimator was fitted on columns with names."""

    def packages(self) -> frozenset[str]:
        """The top-level modules that it would import."""
        return frozenset(name.partition(".")[0] for name in self.globals)


def read_pickle(path: Path) -> PickleFacts:
    """Look into a pickle or a file of joblib, compressed or not. Nothing of it is imported or called.

    Raises:
        PickleError: it is none, it is cut off, or larger than what is read.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        machine = _Machine(_Counted(_decompressed(file)))
        try:
            machine.load()
        except PickleError:
            raise
        except (EOFError, OSError, lzma.LZMAError, zlib.error) as problem:
            raise PickleError(f"{path.name} is cut off or damaged: {problem}") from None
        except RecursionError:
            raise PickleError(f"{path.name} is nested too deeply") from None
        except Exception as problem:
            raise PickleError(f"{path.name} is no pickle: {type(problem).__name__}: {problem}") from None
    versions = {name: frozenset(found) for name, found in machine.versions.items()}
    return PickleFacts(frozenset(machine.names), versions, machine.named_columns)


def looks_like_pickle(path: Path) -> bool:
    """Whether the first bytes are those of a pickle of protocol 2 or later, plain or compressed."""
    with path.open("rb") as file:
        try:
            start = _decompressed(file).read(2)
        except (OSError, EOFError, lzma.LZMAError, zlib.error):
            return False
    return len(start) == 2 and start[0] == pickle.PROTO[0] and start[1] <= pickle.HIGHEST_PROTOCOL


def _decompressed(file: IO[bytes]) -> IO[bytes]:
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    if start.startswith(b"BZh"):
        return cast("IO[bytes]", bz2.BZ2File(file))
    if start.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
        return cast("IO[bytes]", lzma.LZMAFile(file))
    # zlib's header: method and window, and a check over both bytes (RFC 1950).
    if len(start) > 1 and start[0] == 0x78 and int.from_bytes(start[:2], "big") % 31 == 0:
        return cast("IO[bytes]", io.BufferedReader(_Zlib(file)))
    return file


class _Zlib(io.RawIOBase):
    """A stream that zlib made, as joblib writes it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._inflate = zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            data = self._inflate.unconsumed_tail or self._file.read(1 << 16)
            if not data and self._inflate.eof:
                return 0
            if not data:
                raise EOFError("the compressed data ends early")
            found = self._inflate.decompress(data, len(buffer))
            if found or self._inflate.eof:
                buffer[: len(found)] = found
                return len(found)


class _Counted:
    """A file of which only so much is read: a small one may be compressed from a very large one."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = io.BufferedReader(cast("Any", file)) if isinstance(file, io.RawIOBase) else file
        self._left = _MOST_BYTES

    def _count(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise PickleError(f"it is larger than {_MOST_BYTES >> 30} GiB when decompressed")
        return data

    def read(self, size: int = -1) -> bytes:
        return self._count(self._file.read(size))

    def readline(self) -> bytes:
        return self._count(self._file.readline())

    def skip(self, size: int) -> None:
        """Pass over bytes, which must be there."""
        while size:
            found = self.read(min(size, _KEPT_BYTES))
            if not found:
                raise EOFError("an array's contents end early")
            size -= len(found)


class _Stub:
    """What stands for everything that a pickle imports or makes."""

    def __init__(
        self, name: str, arguments: tuple[Any, ...] = (), seen: Callable[[Any], None] | None = None
    ) -> None:
        self.name = name
        self.arguments = arguments
        self.state: Any = None
        self._seen = seen

    def __call__(self, *arguments: Any, **_more: Any) -> _Stub:
        return _Stub(self.name, arguments, self._seen)

    def __setstate__(self, state: Any) -> None:
        self.state = state
        if self._seen is not None:
            self._seen(state)

    def append(self, value: Any) -> None:
        """Lists and sets of other kinds keep nothing here."""

    extend = add = append

    def __setitem__(self, key: Any, value: Any) -> None:
        """Nor do mappings of other kinds."""


# joblib itself builds on this class of the standard library, the only one that lets opcodes be looked at.
_Base: Any = pickle._Unpickler  # type: ignore[attr-defined]  # pyright: ignore


class _Machine(_Base):
    """Runs a pickle's opcodes on stubs."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(_Base.dispatch)

    def __init__(self, file: _Counted) -> None:
        _Base.__init__(self, file, encoding="bytes", errors="replace")
        self.file = file
        self.names: set[str] = set()
        self.versions: dict[str, set[str]] = {}
        self.named_columns = False
        self._objects = 0

    def find_class(self, module: str, name: str) -> Any:
        """A stub in place of what would be imported."""
        found = f"{_text(module)}.{_text(name)}"
        self.names.add(found)
        return _Stub(found, seen=self._look)

    def persistent_load(self, pid: Any) -> Any:
        """What a framework keeps elsewhere."""
        return _Stub("persistent", (pid,))

    def get_extension(self, code: int) -> None:
        """Codes of copyreg stand for names that only the writer knew."""
        raise PickleError(f"it uses the extension code {code}, whose meaning is not in the file")

    def _look(self, state: Any) -> None:
        # Slots and the rest: a state may be a pair of mappings.
        for part in cast("tuple[Any, ...]", state) if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                for key, value in cast("dict[Any, Any]", part).items():
                    self.named_columns |= _text(key) == "feature_names_in_"
                    package = _VERSION_KEYS.get(_text(key))
                    if package and re.fullmatch(r"[0-9][\w.+-]*", _text(value)):
                        self.versions.setdefault(package, set()).add(_text(value))

    # -- opcodes that do something else here ----

    def _count(self) -> None:
        self._objects += 1
        if self._objects > _MOST_OBJECTS:
            raise PickleError(f"it has more than {_MOST_OBJECTS} objects")

    def load_new(self) -> None:
        """NEWOBJ: the class is a stub, which is called."""
        self._count()
        arguments = self.stack.pop()
        self.stack.append(self.stack.pop()(*arguments))

    def load_new_ex(self) -> None:
        """NEWOBJ_EX: with keywords."""
        self._count()
        keywords, arguments = self.stack.pop(), self.stack.pop()
        self.stack.append(
            self.stack.pop()(*arguments, **{_text(key): value for key, value in keywords.items()})
        )

    def load_instance(self) -> None:
        """OBJ and INST of protocol 0: a class and its arguments since the mark."""
        self._count()
        cls, *arguments = self.pop_mark()
        self.stack.append(cls(*arguments))

    def load_inst(self) -> None:
        """INST: the class is named in the opcode."""
        module, name = self.readline()[:-1].decode("ascii"), self.readline()[:-1].decode("ascii")
        self.stack.append(self.find_class(module, name)(*self.pop_mark()))

    def load_state(self) -> None:
        """BUILD: a state for a stub; behind joblib's array wrapper come the array's bytes."""
        state = self.stack.pop()
        made = self.stack[-1]
        if isinstance(made, _Stub):
            made.__setstate__(state)
            if made.name == _JOBLIB_ARRAY:
                self._pass_over_array(made.state)

    def load_long_bytes(self, size: int) -> None:
        """A byte string of which only the length matters, when it is long."""
        if size <= _KEPT_BYTES:
            self.append(self.read(size))
            return
        while size:
            found = self.read(min(size, _KEPT_BYTES))
            if not found:
                raise EOFError("a byte string ends early")
            size -= len(found)
        self.append(b"")

    def _pass_over_array(self, state: dict[Any, Any]) -> None:
        given = {_text(key): value for key, value in state.items()}
        size, objects = _item_size(given["dtype"])
        if objects:
            inner = _Machine(self.file)
            inner.names, inner.versions = self.names, self.versions
            inner.load()
            return
        if given.get("numpy_array_alignment_bytes") is not None:
            self.file.skip(self.file.read(1)[0])
        self.file.skip(size * math.prod(given["shape"]))


def _read_size(width: int) -> Callable[[_Machine], None]:
    def load(self: Any) -> None:
        self.load_long_bytes(int.from_bytes(self.read(width), "little"))

    return load


_Machine.dispatch.update(
    {
        pickle.NEWOBJ[0]: _Machine.load_new,
        pickle.NEWOBJ_EX[0]: _Machine.load_new_ex,
        pickle.OBJ[0]: _Machine.load_instance,
        pickle.INST[0]: _Machine.load_inst,
        pickle.BUILD[0]: _Machine.load_state,
        pickle.BINBYTES[0]: _read_size(4),
        pickle.BINBYTES8[0]: _read_size(8),
        pickle.BYTEARRAY8[0]: _read_size(8),
    }
)


def _item_size(dtype: Any) -> tuple[int, bool]:
    """Bytes of one item of a pickled NumPy type, and whether items are objects."""
    code = _text(dtype.arguments[0]) if isinstance(dtype, _Stub) and dtype.arguments else ""
    if code.startswith("O"):
        return 0, True
    # The state's sixth value is the size where the code does not say it: texts, records.
    state = cast("tuple[Any, ...]", dtype.state or ())
    if len(state) > 5 and isinstance(state[5], int) and state[5] > 0:
        return state[5], False
    found = re.fullmatch(r"[|<>=]?[a-zA-Z](\d+)", code)
    if found is None:
        raise PickleError(f"it has an array of the type {code!r}, whose size is not known")
    # A character of a text has four bytes.
    return int(found[1]) * (4 if "U" in code else 1), False


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
