"""Images: the platform's, by publisher, and what a disk holds that is made from something else.

A gallery's or managed image is a resource like any other (resources.py); what is in it is its "sandbox": {"guest": …}
of a specialised one, {"files": {path: text}} of a generalised one.
"""

from typing import Any

from sandbox.azure import guest
from sandbox.azure.compute_store import COMPUTE, need_linked, room
from sandbox.azure.errors import ApiError
from sandbox.azure.resources import need
from sandbox.azure.router import Call, Reply
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

# What publishers offer in every region. A world may have others in `state["compute"]["images"]`, of the same shape.
PUBLISHED: dict[str, tuple[str, ...]] = {
    "canonical/ubuntu-24_04-lts/server": ("24.04.202511180", "24.04.202601150", "24.04.202602100"),
    "canonical/0001-com-ubuntu-server-jammy/22_04-lts-gen2": ("22.04.202511180", "22.04.202602100"),
    "debian/debian-12/12-gen2": ("0.20251112.2298", "0.20260210.2380"),
    "microsoftwindowsserver/windowsserver/2022-datacenter-azure-edition": ("20348.4529.251206", "20348.4773.260207"),
    "microsoftwindowsserver/windowsserver/2022-datacenter-g2": ("20348.4529.251206", "20348.4773.260207"),
}
_OFFERED = (
    "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/publishers/{publisher}"
    "/artifacttypes/vmimage/offers/{offer}/skus/{sku}/versions"
)
_OFFERS, _SKUS = _OFFERED.partition("/{offer}/")[0], _OFFERED.partition("/{sku}/")[0]
_RIGHT = f"{COMPUTE}/locations/publishers/artifacttypes/offers/skus/versions/read"
_COPIES = frozenset({"copy", "copystart", "restore"})
_KEPT = frozenset(
    {
        "osType",
        "hyperVGeneration",
        "diskSizeGB",
        "securityProfile",
        "supportedCapabilities",
        "encryptionSettingsCollection",
    }
)


@room.on("GET", _OFFERS, f"{COMPUTE}/locations/publishers/artifacttypes/offers/read")
@room.on("GET", _SKUS, f"{COMPUTE}/locations/publishers/artifacttypes/offers/skus/read")
async def beneath(call: Call) -> Reply:
    """List a publisher's offers, or an offer's SKUs. A publisher who has none is Azure's 404."""
    publisher, offer = call.params["publisher"].lower(), call.params.get("offer", "").lower()
    known = [name.split("/") for name in _published(call.world)]
    names = {parts[2 if offer else 1] for parts in known if parts[0] == publisher and (not offer or parts[1] == offer)}
    if not names:
        what = f"offer '{call.params['offer']}'" if offer else f"publisher '{call.params['publisher']}'"
        raise ApiError(404, "NotFound", f"Artifact: VMImage was not found: {what}.")
    where = call.params["location"].lower()
    return Reply(200, [{"id": f"{call.path}/{name}", "name": name, "location": where} for name in sorted(names)])


@room.on("GET", _OFFERED, _RIGHT)
async def versions(call: Call) -> Reply:
    """List the versions of a platform image, oldest first. $top, $orderby=name desc."""
    offered = list(_offered(call, call.params["publisher"], call.params["offer"], call.params["sku"]))
    if "desc" in call.query.get("$orderby", "").lower():
        offered.reverse()
    top = call.query.get("$top", "")
    return Reply(200, [_version(call, name) for name in offered[: int(top) if top.isdigit() else None]])


@room.on("GET", _OFFERED + "/{version}", _RIGHT)
async def version(call: Call) -> Reply:
    """Read one version."""
    name = call.params["version"]
    if name not in _offered(call, call.params["publisher"], call.params["offer"], call.params["sku"]):
        raise ApiError(404, "NotFound", f"Artifact: VMImage was not found: version '{name}'.")
    system = "Windows" if "windows" in call.params["offer"].lower() else "Linux"
    more = {"hyperVGeneration": "V2", "osDiskImage": {"operatingSystem": system}, "dataDiskImages": []}
    return Reply(200, {**_version(call, name), "properties": more})


def resolved(call: Call, reference: Json, exact: str = "") -> Json:
    """An image reference with the exact version that a machine is made from.

    Raises ApiError 404 PlatformImageNotFound or GalleryImageNotFound when there is none (any more).
    """
    if id_ := str(reference.get("id") or ""):
        image = call.world.get(id_)
        if image is None:
            message = (
                f"The gallery image {id_} is not available in this region. Please contact image owner to replicate to "
                "this region, or change your requested region."
            )
            raise ApiError(404, "GalleryImageNotFound", message)
        return {**reference, **({"exactVersion": image.name} if "/versions/" in image.key else {})}
    publisher, offer, sku = (str(reference.get(k) or "") for k in ("publisher", "offer", "sku"))
    if not publisher:
        return reference
    offered = _offered(call, publisher, offer, sku)
    wanted = exact or str(reference.get("version") or "latest")
    found = offered[-1] if wanted == "latest" and offered else wanted
    if found not in offered:
        message = (
            f"The platform image '{publisher}:{offer}:{sku}:{wanted}' is not available. Verify that all fields in the "
            "storage profile are correct. For more details about storage profile information, please refer to "
            "https://aka.ms/storageprofile."
        )
        raise ApiError(404, "PlatformImageNotFound", message)
    return {**reference, "exactVersion": found}


def settle(world: World) -> None:
    """Let every machine that was made from a platform image say which version that was: after a world file was read."""
    for kind in ("virtualMachines", "virtualMachineScaleSets/virtualMachines"):
        for vm in world.list(f"{COMPUTE}/{kind}", lag=False):
            storage = vm.properties.get("storageProfile") or {}
            reference = storage.get("imageReference") or {}
            offered = PUBLISHED.get("/".join(str(reference.get(k)) for k in ("publisher", "offer", "sku")).lower(), ())
            if offered and "exactVersion" not in reference:
                named = str(reference.get("version") or "latest")
                exact = {**reference, "exactVersion": offered[-1] if named == "latest" else named}
                body = {**vm.properties, "storageProfile": {**storage, "imageReference": exact}}
                world.put(vm.id, {**vm.body, "properties": body})


def content(call: Call, creation: Json, system: str) -> tuple[Json, Json]:
    """What a new disk holds, and the properties that it takes over, by its creationData. Asks for the linked rights."""
    option = str(creation.get("createOption", "")).lower()
    if option in _COPIES:
        source = need(call, str(creation.get("sourceResourceId") or creation.get("sourceUri") or ""))
        need_linked(call, f"{source.type}/beginGetAccess/action", source.id)
        return source.hidden, {k: v for k, v in source.properties.items() if k in _KEPT}
    if option != "fromimage":
        return {}, {}
    reference = creation.get("galleryImageReference") or creation.get("imageReference") or {}
    image = call.world.get(str(reference.get("id") or ""))
    if image is not None:
        need_linked(call, f"{image.type}/read", image.id)
        system = str((image.properties.get("storageProfile") or {}).get("osType") or system)
        if specialised(call, image):
            return {"guest": taken(image, system)}, {"osType": system}
    return {"guest": guest.unprovisioned(system)}, {"osType": system}


def declared(call: Call, reference: Json) -> Json:
    """What is in an image besides a plain system: {"files": {path: text}}."""
    image = call.world.get(str(reference.get("id") or ""))
    return image.hidden if image else {}


def taken(image: Resource, system: str) -> Json:
    """The guest in a specialised image: that of the machine it was taken from; a plain one where no world says more."""
    inside = image.hidden
    return dict(inside.get("guest") or guest.new(system, image.key, {}, inside))


def specialised(call: Call, image: Resource) -> bool:
    """Whether an image keeps the accounts of the machine that it was taken from."""
    above = call.world.get(image.id.rpartition("/versions/")[0])
    return str((above or image).properties.get("osState", "")).lower() == "specialized"


def _published(world: World) -> dict[str, tuple[str, ...]]:
    own: dict[str, list[str]] = world.state.get("compute", {}).get("images", {})
    return PUBLISHED | {key: tuple(versions) for key, versions in own.items()}


def _offered(call: Call, publisher: str, offer: str, sku: str) -> tuple[str, ...]:
    return _published(call.world).get(f"{publisher}/{offer}/{sku}".lower(), ())


def _version(call: Call, name: str) -> Json:
    path = call.path if call.path.endswith(f"/{name}") else f"{call.path}/{name}"
    return {"location": call.params["location"], "name": name, "id": path}
