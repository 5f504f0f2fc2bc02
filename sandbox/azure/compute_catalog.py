"""The extensions that a region offers: what the Azure CLI looks up before it installs one whose version nobody told.

Only those that do something here (compute_extensions.py).
"""

from collections.abc import Iterable

from sandbox.azure.compute_store import COMPUTE, room
from sandbox.azure.errors import ApiError
from sandbox.azure.router import Call, Reply

_OFFERED: dict[str, dict[str, tuple[str, ...]]] = {
    "Microsoft.Azure.Extensions": {"CustomScript": ("2.1.13",)},
    "Microsoft.Azure.Security": {"IaaSAntimalware": ("1.7.0.10",)},
    "Microsoft.Compute": {"CustomScriptExtension": ("1.10.20",), "VMAccessAgent": ("2.4.10",)},
    "Microsoft.OSTCExtensions": {"VMAccessForLinux": ("1.5.22",)},
}
_PUBLISHERS = "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/publishers"
_TYPES = _PUBLISHERS + "/{publisher}/artifacttypes/vmextension/types"
_READ = f"{COMPUTE}/locations/publishers"


@room.on("GET", _PUBLISHERS, f"{_READ}/read")
async def publishers(call: Call) -> Reply:
    """List who publishes."""
    return _named(call, _OFFERED)


@room.on("GET", _TYPES, f"{_READ}/artifacttypes/types/read")
async def types(call: Call) -> Reply:
    """List what somebody publishes."""
    return _named(call, _of(call))


@room.on("GET", _TYPES + "/{type}/versions", f"{_READ}/artifacttypes/types/versions/read")
async def versions(call: Call) -> Reply:
    """List the versions there are of an extension."""
    known = {name.lower(): found for name, found in _of(call).items()}
    if call.params["type"].lower() not in known:
        raise _missing("type", call.params["type"])
    return _named(call, known[call.params["type"].lower()])


def _of(call: Call) -> dict[str, tuple[str, ...]]:
    wanted = call.params["publisher"].lower()
    found = next((types for name, types in _OFFERED.items() if name.lower() == wanted), None)
    if found is None:
        raise _missing("publisher", call.params["publisher"])
    return found


def _missing(what: str, name: str) -> ApiError:
    return ApiError(404, "NotFound", f"The extension {what} '{name}' was not found.")


def _named(call: Call, names: Iterable[str]) -> Reply:
    where = call.params["location"].lower()
    return Reply(200, [{"id": f"{call.path}/{name}", "name": name, "location": where} for name in names])
