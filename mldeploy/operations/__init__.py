"""Day-two operations on what is deployed: status, logs, score, keys. One module a kind of target.

They read the stack's state (whichever engine wrote it) and then ask the service itself.
"""

from __future__ import annotations

from mldeploy.operations.model import Keys, OperationError, ServiceHandle, ServiceStatus, State
from mldeploy.operations.stack import composed_services, find_service, service_handles, stack_status

__all__ = [
    "Keys",
    "OperationError",
    "ServiceHandle",
    "ServiceStatus",
    "State",
    "composed_services",
    "find_service",
    "service_handles",
    "stack_status",
]
