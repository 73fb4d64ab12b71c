"""The embedded engine: runs the project's program without the Pulumi CLI, on the same state.

from mldeploy.engine import Engine, Options
result = Engine(project_dir, "local").up(Options())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mldeploy.engine.engine import Engine
    from mldeploy.engine.errors import EngineError
    from mldeploy.engine.options import Options, Result
    from mldeploy.engine.stack import read_stack
    from mldeploy.engine.state import ResourceState

__all__ = ["Engine", "EngineError", "Options", "ResourceState", "Result", "read_stack"]

_HOMES = {
    "Engine": "engine",
    "EngineError": "errors",
    "Options": "options",
    "ResourceState": "state",
    "Result": "options",
    "read_stack": "stack",
}


def __getattr__(name: str) -> Any:
    # The engine imports gRPC and the SDK, which take a second: only who runs it pays.
    if name not in _HOMES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"mldeploy.engine.{_HOMES[name]}"), name)
