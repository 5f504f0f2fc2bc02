"""An embedded Azure on loopback HTTPS that the real, unmodified Azure SDK clients talk to.

    world = World()
    world.load(yaml.safe_load(...), clock.now())
    async with Sandbox(world, clock=clock) as azure:
        ...  # azure.endpoints, azure.ca_file, azure.credential("ops@contoso.example"), azure.environment(client_id)

Provider by provider: see router.py for how a room is added.
"""

from sandbox.azure.clock import Clock
from sandbox.azure.faults import Faults
from sandbox.azure.router import Endpoints
from sandbox.azure.sandbox import Sandbox
from sandbox.azure.security import raise_alert
from sandbox.azure.server import Request
from sandbox.azure.throttle import Throttle
from sandbox.azure.world import World

__all__ = ["Clock", "Endpoints", "Faults", "Request", "Sandbox", "Throttle", "World", "raise_alert"]
