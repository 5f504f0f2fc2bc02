"""Ways to a machine beside its network's rules: just-in-time requests, and the serial console.

A request is kept in its policy, as Defender for Cloud does. The rule that it puts into security groups is not modelled.
"""

from typing import Any

from sandbox.azure.clock import stamp
from sandbox.azure.compute_store import KIND
from sandbox.azure.resources import need
from sandbox.azure.router import Call, Reply, Room

Json = dict[str, Any]

_JIT = "Microsoft.Security/locations/jitNetworkAccessPolicies"
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers"
_POLICY = _GROUP + "/Microsoft.Security/locations/{location}/jitNetworkAccessPolicies/{policy}"
_PORT = _GROUP + f"/{KIND}/{{vm}}/providers/Microsoft.SerialConsole/serialPorts/{{port}}"

just_in_time = Room("Microsoft.Security", {"locations/jitNetworkAccessPolicies": ("2020-01-01",)})
consoles = Room("Microsoft.SerialConsole", {"serialPorts": ("2024-07-01", "2018-05-01")})


@just_in_time.on("POST", _POLICY + "/initiate", f"{_JIT}/initiate/action")
async def initiate(call: Call) -> Reply:
    """Ask for ports of machines. Body: {virtualMachines: [{id, ports: [{number, endTimeUtc, …}]}], justification}."""
    policy = need(call, call.parent)
    asked = [_initiated(one) for one in call.body.get("virtualMachines") or ()]
    request: Json = {"virtualMachines": asked, "startTimeUtc": stamp(call.clock.now()), "requestor": call.author.name}
    request |= {k: call.body[k] for k in ("justification",) if k in call.body}
    requests = [*(policy.properties.get("requests") or ()), request]
    call.world.put(policy.id, {**policy.body, "properties": {**policy.properties, "requests": requests}})
    return Reply(202, request)


@consoles.on("POST", _PORT + "/connect", "Microsoft.SerialConsole/serialPorts/connect/action")
async def connect(call: Call) -> Reply:
    """Open a machine's serial port: the address of a web socket, where nobody answers."""
    vm = need(call, call.path.partition("/providers/Microsoft.SerialConsole")[0])
    return Reply(200, {"connectionString": f"wss://sandbox.console.azure.com/{call.world.new_id('console', vm.id)}"})


def _initiated(machine: Json) -> Json:
    ports = [{**port, "status": "Initiated", "statusReason": "UserRequested"} for port in machine.get("ports") or ()]
    return {**machine, "ports": ports}
