"""Plugin processes: finding their executables as Pulumi does, starting them, talking to them, ending them."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc

from mldeploy.engine.base.errors import MissingPluginError, PluginError, UnsupportedError
from mldeploy.engine.project.yaml_values import load_mapping
from mldeploy.values.property_value import is_map

_MAX_MESSAGE = 400 * 1024 * 1024
_MAX_DETAILS = 16 << 20
"""An error's details, such as what was made of a resource, travel in the trailers. gRPC for Python refuses more than
16 KiB of them and says "Stream removed" instead of the error; gRPC for Go, which the CLI uses, takes 16 MiB."""
_OPTIONS = [
    ("grpc.max_receive_message_length", _MAX_MESSAGE),
    ("grpc.max_send_message_length", _MAX_MESSAGE),
    ("grpc.max_metadata_size", _MAX_DETAILS),
    ("grpc.absolute_max_metadata_size", _MAX_DETAILS),
]


def plugin_home() -> Path:
    """Pulumi's plugin folder."""
    home = os.environ.get("PULUMI_HOME")
    return (Path(home) if home else Path.home() / ".pulumi") / "plugins"


def find_plugin(kind: str, name: str, version: str, project_plugins: dict[str, tuple[Path, str]]) -> Path:
    """The executable of a plugin: the project's own folder, PATH, then the newest fitting installed one.

    Raises MissingPluginError that says how to get it.
    """
    executable = f"pulumi-{kind}-{name}"
    if name in project_plugins:
        return _project_executable(project_plugins[name][0], executable, name)
    if os.environ.get("PULUMI_IGNORE_AMBIENT_PLUGINS", "").lower() not in ("1", "true"):
        ambient = shutil.which(executable)
        if ambient:
            return Path(ambient)
    installed = _installed(kind, name, version)
    if installed is not None:
        return installed / executable
    wanted = f" {version}" if version else ""
    raise MissingPluginError(
        f"no {kind} plugin '{executable}'{' at version v' + version if version else ''} found in the"
        f" project's plugins, on PATH or in {plugin_home()}; get it with"
        f" `pulumi plugin install {kind} {name}{wanted}`"
    )


def _project_executable(folder: Path, executable: str, name: str) -> Path:
    if folder.is_file():
        return folder
    path = folder / executable
    if path.is_file():
        return path
    if (folder / "PulumiPlugin.yaml").is_file():
        runtime, _ = _source_form(folder)
        if runtime != "python":
            raise UnsupportedError(
                f"plugin {name!r}: {folder} holds a plugin in source form for {runtime}; the embedded engine runs those"
                f" in Python, and executables ({executable})"
            )
        return folder
    raise MissingPluginError(f"plugin {name!r}: Pulumi.yaml names {folder}, which has no {executable}")


def _source_form(folder: Path) -> tuple[str, Path | None]:
    """The runtime of a plugin in source form, and its virtual environment's folder."""
    runtime: Any = load_mapping(folder / "PulumiPlugin.yaml").get("runtime")
    if not is_map(runtime):
        return str(runtime), None
    options: Any = runtime.get("options")
    environment: Any = options.get("virtualenv") if is_map(options) else None
    return str(runtime.get("name")), folder / str(environment) if environment else None


def command_of(plugin: Path) -> list[str]:
    """What starts a plugin: an executable, or a folder with Python's `__main__.py`.

    The folder's own environment runs it; without one this process's Python does.
    """
    if not plugin.is_dir():
        return [str(plugin)]
    environment = _source_form(plugin)[1]
    python = environment / "bin/python" if environment is not None else None
    return [str(python) if python is not None and python.exists() else sys.executable, str(plugin)]


def _installed(kind: str, name: str, version: str) -> Path | None:
    home = plugin_home()
    pattern = re.compile(rf"^{kind}-{re.escape(name)}-v(\d+)\.(\d+)\.(\d+)(.*)$")
    found: list[tuple[tuple[int, int, int, str], Path]] = []
    for folder in home.iterdir() if home.is_dir() else ():
        match = pattern.match(folder.name)
        if match and folder.is_dir() and not (home / f"{folder.name}.partial").exists():
            major, minor, patch = (int(match.group(i)) for i in (1, 2, 3))
            # A final release is newer than its pre-releases.
            found.append(((major, minor, patch, match.group(4) or "~"), folder))
    if version:
        exact = home / f"{kind}-{name}-v{version}"
        return exact if any(folder == exact for _, folder in found) else None
    return max(found)[1] if found else None


class PluginProcess:
    """A running plugin. `stub` is made by the caller over `channel`."""

    def __init__(
        self,
        executable: Path,
        *,
        arguments: Iterable[str],
        cwd: Path,
        env: dict[str, str],
        name: str,
        on_line: Callable[[str, str], None],
        timeout: float,
    ) -> None:
        self.name = name
        self._on_line = on_line
        self._tail: deque[str] = deque(maxlen=20)
        try:
            self._process = subprocess.Popen(
                [*command_of(executable), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
        except OSError as error:
            raise PluginError(f"the {name} plugin {executable} does not start: {error.strerror}") from None
        self._readers = [
            threading.Thread(target=self._read, args=(self._process.stderr, "warning"), daemon=True)
        ]
        self._readers[0].start()
        port = self._read_port(timeout, executable)
        self._readers.append(
            threading.Thread(target=self._read, args=(self._process.stdout, "info"), daemon=True)
        )
        self._readers[1].start()
        self.channel: Any = grpc.insecure_channel(f"127.0.0.1:{port}", options=_OPTIONS)

    def _read_port(self, timeout: float, executable: Path) -> int:
        assert self._process.stdout is not None
        deadline = time.monotonic() + timeout
        line = b""
        descriptor = self._process.stdout.fileno()
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(descriptor, 1) if ready else b""
            if not data:
                self.close()
                self._readers[0].join(1)
                why = "ended" if ready else f"said nothing for {timeout:g} s"
                raise PluginError(
                    f"the {self.name} plugin {executable} {why} before it named its port{self.tail()}"
                )
            line += data
        text = line.decode(errors="replace").strip()
        if not text.isdecimal():
            self.close()
            raise PluginError(f"the {self.name} plugin {executable} printed {text!r} instead of its port")
        return int(text)

    def _read(self, stream: Any, level: str) -> None:
        for raw in stream:
            line = raw.decode(errors="replace").rstrip("\n")
            self._tail.append(line)
            self._on_line(level, line)

    def tail(self) -> str:
        """The last lines it printed, for error messages."""
        return ": " + " | ".join(self._tail) if self._tail else ""

    def gone(self) -> str:
        """How the process ended, empty while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0.2)
        code = self._process.poll()
        if code is None:
            return ""
        self._readers[0].join(0.5)
        how = f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"
        return how + self.tail()

    def close(self) -> None:
        """End the process: politely, then by force after two seconds."""
        channel = getattr(self, "channel", None)
        if channel is not None:
            channel.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None and not self._readers:
                stream.close()
