"""The embedded engine: runs the project's program without the Pulumi CLI, on the same state.

from mldeploy.engine import Engine, Options
result = Engine(project_dir, "local").up(Options())
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# gRPC reads it when it starts. What it would tell besides errors is about connections that end with the engine.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

if TYPE_CHECKING:
    from mldeploy.engine.base.errors import EngineError
    from mldeploy.engine.base.options import Options, Result
    from mldeploy.engine.base.state import ResourceState
    from mldeploy.engine.core.engine import Engine
    from mldeploy.engine.state.stack import read_stack

__all__ = ["Engine", "EngineError", "Options", "ResourceState", "Result", "read_stack"]

_HOMES = {
    "Engine": "core.engine",
    "EngineError": "base.errors",
    "Options": "base.options",
    "ResourceState": "base.state",
    "Result": "base.options",
    "read_stack": "state.stack",
}


def __getattr__(name: str) -> Any:
    # The engine imports gRPC and the SDK, which take a second: only who runs it pays.
    if name not in _HOMES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"mldeploy.engine.{_HOMES[name]}"), name)
