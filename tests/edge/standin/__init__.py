"""A stand-in for an IoT hub's deployments: refuses what the real one refuses, and plays its devices."""

from tests.edge.standin.hub import Device, Hub
from tests.edge.standin.server import HubServer, serve

__all__ = ["Device", "Hub", "HubServer", "serve"]
