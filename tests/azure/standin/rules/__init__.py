"""What the services refuse although their published types allow it. Every rule names its source."""

from tests.azure.standin.rules import containers, kubernetes, machine_learning, names, shared
from tests.azure.standin.rules.base import RULES, Request, check

__all__ = ["RULES", "Request", "check", "containers", "kubernetes", "machine_learning", "names", "shared"]
