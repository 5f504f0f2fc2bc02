"""Policy definitions of the tenant itself, which Azure ships and anybody may read. The sandbox has none.

Those of a subscription, and what they are assigned to, are resources like any other (resources.py).
"""

from sandbox.azure.errors import ApiError
from sandbox.azure.router import Call, Reply, Room

room = Room("Microsoft.Authorization")


@room.on("GET", "/providers/Microsoft.Authorization/policyDefinitions/{name}")
async def definition(call: Call) -> Reply:
    """Read one that Azure ships."""
    raise _missing("PolicyDefinitionNotFound", "policy definition", call.params["name"])


@room.on("GET", "/providers/Microsoft.Authorization/policySetDefinitions/{name}")
async def set_definition(call: Call) -> Reply:
    """Read a set of them that Azure ships."""
    raise _missing("PolicySetDefinitionNotFound", "policy set definition", call.params["name"])


def _missing(code: str, what: str, name: str) -> ApiError:
    return ApiError(404, code, f"The {what} '{name}' could not be found.")
