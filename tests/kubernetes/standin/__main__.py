"""`python -m tests.kubernetes.standin [engine]`: the plugin process."""

from __future__ import annotations

from tests.kubernetes.standin.servicer import StandIn
from tests.standin import serve

raise SystemExit(serve(StandIn()))
