"""The entry script, in processes that it starts (spawn, forkserver, loky): they import its functions by this name."""

import importlib.util
import os
import sys

_spec = importlib.util.spec_from_file_location("entry_module", os.environ["MLDEPLOY_ENTRY_MODULE"])
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
sys.modules["entry_module"] = _module
_spec.loader.exec_module(_module)
