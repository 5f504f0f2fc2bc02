"""Compute's own throttling, on top of Resource Manager's: token buckets for each machine, and their header.

As documented (2024): updates 12, refilled with 4 a minute; deletes and deallocations 12 and 4; reads 36 and 12.
Every answer about a machine says what is left in x-ms-ratelimit-remaining-resource. Whether an empty bucket refuses is
the world's: `world.state["compute"]["limits"] = True`. It is off by itself, since an exercise plays hours in seconds.
Polling an operation is not limited here: every four seconds fits.
"""

from dataclasses import replace
from math import ceil
from typing import Any
from weakref import WeakKeyDictionary

from sandbox.azure.compute_store import machine_id
from sandbox.azure.errors import ApiError
from sandbox.azure.router import Call, Handler, Reply, Room
from sandbox.azure.throttle import Bucket
from sandbox.azure.world import World

# What it is called -> (bucket, refill a minute)
LIMITS = {"UpdateVM": (12, 4), "DeleteVM": (12, 4), "GetVM": (36, 12)}
_BUCKETS: WeakKeyDictionary[World, dict[tuple[str, str], Bucket]] = WeakKeyDictionary()
_MACHINES = ("/virtualmachines/{vm}", "/virtualmachinescalesets/{set}/virtualmachines/{vm}")


def apply(room: Room) -> None:
    """Count every call that is about a machine or lies beneath one."""
    room.routes[:] = [
        replace(route, handler=_limited(route.handler))
        if any(m in route.template.lower() for m in _MACHINES)
        else route
        for route in room.routes
    ]


def _limited(handler: Handler) -> Handler:
    async def limited(call: Call) -> Reply:
        left = _take(call)
        reply = await handler(call)
        reply.headers.setdefault("x-ms-ratelimit-remaining-resource", left)
        return reply

    return limited


def _take(call: Call) -> str:
    slow = call.method == "DELETE" or call.path.lower().endswith("/deallocate")
    policy = "GetVM" if call.method == "GET" else "DeleteVM" if slow else "UpdateVM"
    size, refill = LIMITS[policy]
    now = call.clock.now()
    buckets = _BUCKETS.setdefault(call.world, {})
    bucket = buckets.setdefault((machine_id(call.path).lower(), policy), Bucket(size, refill / 60, now))
    bucket.fill(now)
    state: dict[str, Any] = call.world.state.get("compute", {})
    if bucket.tokens < 1 and state.get("limits"):
        seconds = ceil((1 - bucket.tokens) / bucket.refill)
        message = (
            f"The request is being throttled as the limit has been reached for operation type - {policy}. For more "
            "information, see aka.ms/compute-throttling"
        )
        headers = {"Retry-After": str(seconds), "x-ms-ratelimit-remaining-resource": f"Microsoft.Compute/{policy};0"}
        raise ApiError(429, "OperationNotAllowed", message, headers=headers)
    bucket.tokens = max(0.0, bucket.tokens - 1)
    return f"Microsoft.Compute/{policy};{int(bucket.tokens)}"
