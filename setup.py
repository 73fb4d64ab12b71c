"""What pyproject.toml cannot say: a wheel has the parts that stand beside the package in this repository inside it.

Installed side by side, as `components`, `serving` and `policy`, they would be anybody's names in people's environments.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PARTS = ("components", "serving", "policy")


class WithParts(build_py):
    """Copies the parts to `mldeploy/_bundle`, but not for an editable installation, which finds them where they are."""

    def run(self) -> None:
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)  # modules that a former build had
        super().run()
        if self.editable_mode:
            return
        bundle = Path(self.build_lib) / "mldeploy" / "_bundle"
        for part in PARTS:
            ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", "build", "dist")
            shutil.copytree(part, bundle / part, ignore=ignored)


setup(cmdclass={"build_py": WithParts})
