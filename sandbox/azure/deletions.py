"""What a delete waits for, what stops it, and what it leaves behind to be recovered.

Codes and messages are Azure's own, as seen in public issues: a network interface that a machine uses, an address that
is still allocated, a subnet or security group in use, a plan with apps, a vault with backups.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.azure import ids, operations, soft_delete
from sandbox.azure.errors import ApiError

if TYPE_CHECKING:
    from sandbox.azure.clock import Clock
    from sandbox.azure.router import Call, Reply
    from sandbox.azure.world import Resource, World

Json = dict[str, Any]


class _Hold(NamedTuple):
    """By what a type is held: resources of `users` that name it under one of `keys`."""

    users: tuple[str, ...]
    keys: frozenset[str]  # lower case
    status: int
    code: str
    message: str  # of {id}, {name}, {users}


_NETWORK = "Microsoft.Network"
_NICS, _VNETS = f"{_NETWORK}/networkInterfaces", f"{_NETWORK}/virtualNetworks"
_VMS, _SUBNETS = "Microsoft.Compute/virtualMachines", f"{_VNETS}/subnets"
_SUBNET = (
    "Subnet {name} is in use by {users} and cannot be deleted. In order to delete the subnet, delete all the resources "
    "within the subnet. See aka.ms/deletesubnet."
)
_FRONTS = tuple(
    f"{_NETWORK}/{name}"
    for name in ("loadBalancers", "bastionHosts", "virtualNetworkGateways", "natGateways", "azureFirewalls")
)
_IN_SUBNETS = (_NICS, *_FRONTS, f"{_NETWORK}/privateEndpoints")
_HOLDS = {
    _NICS: _Hold(
        (_VMS,),
        frozenset({"networkinterfaces"}),
        400,
        "NicInUse",
        "Network Interface {id} is used by existing resource {users}. In order to delete the network interface, it "
        "must be dissociated from the resource. To learn more, see aka.ms/deletenic.",
    ),
    f"{_NETWORK}/publicIPAddresses": _Hold(
        (_NICS, *_FRONTS),
        frozenset({"publicipaddress", "publicipaddresses"}),
        400,
        "PublicIPAddressCannotBeDeleted",
        "Public IP address {id} can not be deleted since it is still allocated to resource {users}. In order to delete "
        "the public IP, disassociate/detach the Public IP address from the resource.  To learn how to do this, see "
        "aka.ms/deletepublicip.",
    ),
    f"{_NETWORK}/networkSecurityGroups": _Hold(
        (_NICS, _VNETS, _SUBNETS),
        frozenset({"networksecuritygroup"}),
        400,
        "InUseNetworkSecurityGroupCannotBeDeleted",
        "Network security group {id} cannot be deleted because it is in use by the following resources: {users}. In "
        "order to delete the Network security group, remove the association with the resource(s). To learn how to do "
        "this, see aka.ms/deletensg.",
    ),
    f"{_NETWORK}/routeTables": _Hold(
        (_VNETS, _SUBNETS),
        frozenset({"routetable"}),
        400,
        "InUseRouteTableCannotBeDeleted",
        "Route table {name} is in use and cannot be deleted. It is used by {users}.",
    ),
    _SUBNETS: _Hold(_IN_SUBNETS, frozenset({"subnet"}), 400, "InUseSubnetCannotBeDeleted", _SUBNET),
    _VNETS: _Hold(_IN_SUBNETS, frozenset({"subnet"}), 400, "InUseSubnetCannotBeDeleted", _SUBNET),
    "Microsoft.Web/serverfarms": _Hold(
        ("Microsoft.Web/sites",),
        frozenset({"serverfarmid"}),
        409,
        "Conflict",
        "Server farm '{name}' cannot be deleted because it has web app(s) {users} assigned to it.",
    ),
    "Microsoft.Compute/availabilitySets": _Hold(
        (_VMS,),
        frozenset({"availabilityset"}),
        409,
        "OperationNotAllowed",
        "Availability Set '{name}' cannot be deleted. Before deleting an Availability Set please ensure that it does "
        "not contain any VM.",
    ),
}
_BY_TYPE = {kind.lower(): hold for kind, hold in _HOLDS.items()}
# Types whose children go first; with most types the children go along.
_CHILDREN_FIRST = frozenset(
    {"microsoft.compute/galleries", "microsoft.compute/galleries/images", "microsoft.network/privatednszones"}
)
_BACKED_UP = "Microsoft.RecoveryServices/vaults"
# Providers that delete behind a 202. The others have done it when they answer.
_SLOW = frozenset(
    f"microsoft.{name}"
    for name in (
        *("network", "compute", "sql", "documentdb", "containerservice", "containerregistry", "cache", "app"),
        *("cognitiveservices", "eventhub", "servicebus", "machinelearningservices", "dbforpostgresql", "dbformysql"),
        *("hdinsight", "synapse", "databricks", "batch", "kusto", "apimanagement"),
    )
)


def begin(call: "Call", found: "Resource") -> "Reply | None":
    """Check a delete, and begin it where it takes long. None: it is to be done at once, by `remove`."""
    check(call.world, found)
    slow = found.type.partition("/")[0].lower() in _SLOW and "location" in found.body
    if not slow:
        return None
    deleting = {**found.properties, "provisioningState": "Deleting"}
    call.world.put(found.id, {**found.body, "properties": deleting})
    return operations.accept(call, "resources.delete", {"id": found.id, "was": found.properties}, location=found.region)


@operations.effect("resources.delete")
def _deleted(world: "World", clock: "Clock", args: Json) -> None:
    if found := world.get(args["id"]):
        # As it was: it may stay, when somebody has put it to use meanwhile.
        found = world.put(found.id, {**found.body, "properties": args["was"]})
        check(world, found)
        remove(world, clock, found)


def remove(world: "World", clock: "Clock", found: "Resource") -> None:
    """Delete a resource with all beneath it. What its provider keeps for a while can be recovered."""
    for resource in (found, *world.beneath(found.id)):
        soft_delete.keep(world, clock, resource)
    world.delete(found.id)


def check(world: "World", doomed: "Resource", *, beside: str = "") -> None:
    """Raise ApiError for what stops a delete. Users that lie at or beneath `beside` go along and don't count."""
    hold = _BY_TYPE.get(doomed.type.lower())
    if hold and (users := sorted(set(_users(world, doomed, hold, beside or doomed.id)))):
        text = ", ".join(user for user, _ in users)
        name = users[0][1].rpartition("/")[2]  # of a network, the subnet that is in use
        raise ApiError(hold.status, hold.code, hold.message.format(id=doomed.id, name=name, users=text))
    if beside:
        return
    if doomed.type.lower() in _CHILDREN_FIRST:
        nested = [r.id for r in world.beneath(doomed.id) if r.type.lower().startswith(doomed.type.lower() + "/")]
        if nested:
            message = (
                "Cannot delete resource while nested resources exist. Some existing nested resource IDs include: "
                f"'{', '.join(nested[:3])}'. Please delete all nested resources before deleting this resource."
            )
            raise ApiError(409, "CannotDeleteResource", message)
    if doomed.type.lower() == _BACKED_UP.lower():
        kept = [r.id for r in world.beneath(doomed.id) if r.type.lower().endswith("/protecteditems")]
        if kept:
            message = (
                f"Recovery Services vault cannot be deleted as there are backup items in soft deleted or protected "
                f"state in the vault. They are: {', '.join(kept)}."
            )
            raise ApiError(400, "ServiceResourceNotEmptyWithContainerDetails", message)


def blockers(world: "World", group: str) -> list[tuple["Resource", ApiError]]:
    """Resources of a group that can't be deleted because something outside it uses them, and why."""
    found = []
    for resource in world.beneath(group):
        try:
            check(world, resource, beside=group)
        except ApiError as error:
            found.append((resource, error))
    return found


def _users(world: "World", doomed: "Resource", hold: _Hold, beside: str) -> Iterator[tuple[str, str]]:
    """What uses a resource: the id of the part that does, and of what it uses."""
    for kind in hold.users:
        for user in world.list(kind, lag=False):
            if not ids.within(user.id, beside):
                for key, target, at in _links(user.properties, "", user.id):
                    if key.lower() in hold.keys and ids.within(target, doomed.id):
                        yield at, target


def _links(value: Any, key: str, at: str) -> Iterator[tuple[str, str, str]]:
    """What a body refers to: under which key, the id, and the id of the part that does."""
    if isinstance(value, str):
        if key.lower().endswith("id") and value.startswith("/"):
            yield key, value, at
    elif isinstance(value, list):
        for item in value:
            part = f"{at}/{key}/{item['name']}" if isinstance(item, dict) and item.get("name") else at
            yield from _links(item, key, part)
    elif isinstance(value, dict):
        if isinstance(value.get("id"), str) and key:
            yield key, value["id"], at
        for name, inner in value.items():
            if name != "id":
                yield from _links(inner, key if name == "properties" else name, at)
