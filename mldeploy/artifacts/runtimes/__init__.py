"""Models without an entry script: what a file or folder is, what it needs, and the script that scores with it.

v1 called it no-code deployment (`Model.Framework`). The packages are the model's own, in the versions that it was made
with, read from its files without loading them.
"""

from mldeploy.artifacts.runtimes.generate import Generated, fill
from mldeploy.artifacts.runtimes.plan import RUNTIMES, NoRuntimeError, Plan, detect, plan

__all__ = ["RUNTIMES", "Generated", "NoRuntimeError", "Plan", "detect", "fill", "plan"]
