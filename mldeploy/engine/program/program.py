"""Runs the project's program in this process, as if it were the first thing the process ever did."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import runpy
import sys
import traceback
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from mldeploy.engine.base.errors import EngineError
from mldeploy.engine.program.event_loop import ProgramLoop
from mldeploy.engine.program.output import told_output
from mldeploy.engine.program.sdk_tuning import tuned_sdk
from mldeploy.engine.project.config import StackConfig

# Modules of the host that stay when the program's folder is the one they were loaded from.
_HOST = "mldeploy"


@dataclass(frozen=True, slots=True)
class ProgramSettings:
    """What the SDK is told about the run."""

    project: str
    stack: str
    root: Path
    main: Path
    entry: Path
    config: StackConfig
    preview: bool
    parallel: int


@dataclass(slots=True)
class ProgramResult:
    """How the program ended: `error` is empty for a good end, `shut_down` when the engine ended it."""

    error: str = ""
    shut_down: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A resource's object in the program. `unsupported` says what of it this engine does not do, empty for nothing."""

    type: str
    name: str
    custom: bool
    version: str
    unsupported: str


def _unsupported(type_: str, options: Any, *, custom: bool) -> str:
    if type_ == "pulumi:index:Stash":
        return "Stash is not supported by the embedded engine"
    if type_.startswith("pulumi-python:"):
        return "dynamic providers are not supported by the embedded engine; run it with the pulumi CLI"
    if custom and getattr(options, "env_var_mappings", None):
        return "environment variable mappings need the pulumi CLI"
    hooks = cast("object", getattr(options, "hooks", None))
    if hooks is not None and any(vars(hooks).values()):
        return "resource hooks need the pulumi CLI"
    return ""


def run_program(
    settings: ProgramSettings,
    monitor: Any,
    engine: Any,
    made: Callable[[Made], None],
) -> ProgramResult:
    """Run the program until every registration has been answered.

    `made` is called for each resource when its object is made, which is before any registration of a synchronous
    program is sent.
    """
    if settings.entry.is_dir() and not (settings.entry / "__main__.py").is_file():
        raise EngineError(f"no __main__.py in {settings.entry}")
    # A fresh context: the SDK keeps its settings and the stack resource in context variables.
    context = contextvars.Context()
    with (
        _clean_modules(settings.main),
        _own_environment(),
        _working_directory(settings.main),
        _rare_collections(),
        told_output(engine),
    ):
        ended = context.run(_run, settings, monitor, engine, made)
    del context
    if ended.error or ended.shut_down:
        with _unheard_outputs():
            gc.collect()
    return ended


@contextmanager
def _unheard_outputs() -> Generator[None]:
    """Outputs of a program that ended early (those of stack references) hold coroutines that nobody starts any more;
    Python would complain about each on the terminal when it is done with it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "coroutine '.*' was never awaited", RuntimeWarning)
        yield


def _run(settings: ProgramSettings, monitor: Any, engine: Any, made: Callable[[Made], None]) -> ProgramResult:
    import pulumi
    import pulumi.runtime

    pulumi.runtime.set_all_config(settings.config.plain(), settings.config.secret_keys())
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            project=settings.project,
            stack=settings.stack,
            monitor=monitor,
            engine=engine,
            parallel=settings.parallel,
            dry_run=settings.preview,
            organization="organization",
            root_directory=str(settings.root),
        )
    )

    def observe(args: pulumi.ResourceTransformationArgs) -> None:
        custom = isinstance(args.resource, pulumi.CustomResource)
        version = getattr(args.opts, "version", None) or ""
        made(Made(args.type_, args.name, custom, version, _unsupported(args.type_, args.opts, custom=custom)))

    def body() -> None:
        pulumi.runtime.register_stack_transformation(observe)
        runpy.run_path(str(settings.entry), run_name="__main__")

    # A call keeps its thread until its step is done.
    loop = ProgramLoop(min(256, max(16, settings.parallel * 4)))
    asyncio.set_event_loop(loop)
    # An ended program leaves futures that nobody awaits; asyncio would report every one when it is collected.
    loop.set_exception_handler(lambda _loop, _context: None)
    try:
        with tuned_sdk():
            loop.run_until_complete(pulumi.runtime.run_in_stack(body))
    except pulumi.RunError as error:
        return _run_error(str(error))
    except KeyboardInterrupt:
        return ProgramResult("The program was interrupted (KeyboardInterrupt)")
    except SystemExit as error:
        if error.code not in (None, 0):
            return ProgramResult(f"Program exited with code {error.code}")
    except Exception:
        return ProgramResult(
            "Program failed with an unhandled exception:\n" + _user_traceback(settings.entry)
        )
    finally:
        with _unheard_outputs():
            _cancel_tasks(loop)
        loop.calls.close()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        asyncio.set_event_loop(None)
    return ProgramResult()


def _run_error(text: str) -> ProgramResult:
    if text.startswith("Resource monitor has terminated"):
        return ProgramResult(shut_down=True)
    return ProgramResult(text)


def _cancel_tasks(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


def _user_traceback(entry: Path) -> str:
    """The traceback from the user's program on."""
    frames = traceback.extract_tb(sys.exc_info()[2])
    program = str(entry if entry.is_file() else entry / "__main__.py")
    for i, frame in enumerate(frames):
        if frame.filename == program:
            return traceback.format_exc(limit=-(len(frames) - i))
    return traceback.format_exc()


def _provided_names(main: Path) -> set[str]:
    """Top-level module names that the program's folder provides."""
    names: set[str] = set()
    for entry in main.iterdir():
        if entry.name.startswith("."):
            continue
        if entry.suffix == ".py":
            names.add(entry.stem)
        elif entry.is_dir() and entry.name.isidentifier() and any(entry.glob("*.py")):
            names.add(entry.name)
    return names - {"__main__"}


def _belongs(module: ModuleType, main: Path) -> bool:
    file = getattr(module, "__file__", None)
    if file is None:
        paths = [str(p) for p in getattr(module, "__path__", [])]
        return any(Path(p).is_relative_to(main) for p in paths)
    return Path(file).is_relative_to(main)


@contextmanager
def _clean_modules(main: Path) -> Generator[None]:
    """Hide the host's modules of the program's names while it runs, and forget the program's afterwards."""
    provided = _provided_names(main)
    host = sys.modules.get(_HOST)
    if host is None or _belongs(host, main):
        provided.discard(_HOST)
    hidden = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in provided}
    for name in hidden:
        del sys.modules[name]
    path, argv, main_module = list(sys.path), list(sys.argv), sys.modules.get("__main__")
    sys.argv = [str(main)]
    try:
        yield
    finally:
        for name in [n for n in sys.modules if n.partition(".")[0] in provided]:
            del sys.modules[name]
        sys.modules.update(hidden)
        if main_module is not None:
            sys.modules["__main__"] = main_module
        sys.path[:] = path
        sys.argv = argv


@contextmanager
def _own_environment() -> Generator[None]:
    """What the program does to `os.environ` ends with it, as with a process of its own."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _working_directory(folder: Path) -> Generator[None]:
    previous = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(previous)


@contextmanager
def _rare_collections() -> Generator[None]:
    """Collect garbage seldom: nearly everything a program makes lives to its end, so looking for it is in vain."""
    previous = gc.get_threshold()
    gc.set_threshold(20_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*previous)
