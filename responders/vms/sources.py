"""What a machine can be rebuilt from that no intruder had a hand in, by rule, and why it is held to be clean.

In this order:
1. an image version of COUNTERSIGN_IMAGES, of the image that the machine was made from;
2. the very version of the publisher's image that it was made from, where the publisher still has it;
3. the version of a gallery's image that it was made from, if it was published before the first suspicious activity and
   no suspect wrote anything in that gallery;
4. the managed image that it was made from, if that was made before the first suspicious activity and no suspect wrote
   it: what such an image holds is never exchanged;
5. the newest restore point of the machine from before its first suspicious activity.
An image that was generalized makes a fresh system by way of the reimage API; what keeps its users (a specialized image,
a restore point) takes the place of the OS disk.

Microsoft.Compute/locations/…/versions, images, galleries, restorePointCollections, api-version 2024-07-01 and
2024-03-03. Of images Azure tells the time of their making in lists of resources only.
"""

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from responders.azure import absent_is_fine, odata
from responders.ids import ResourceId, within
from responders.memo import Memo
from responders.model import Json
from responders.utc import utc

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case
    from responders.vms.machine import Machine

_VERSION, _GALLERIES = "2024-07-01", "2024-03-03"
_IMAGE, _IMAGE_VERSION = "Microsoft.Compute/galleries/images", "Microsoft.Compute/galleries/images/versions"
_MANAGED, _LISTS = "Microsoft.Compute/images", "2021-04-01"
IMAGE_PERMISSIONS = (
    "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read",
    "Microsoft.Compute/galleries/images/read",
    "Microsoft.Compute/galleries/images/versions/read",
    "Microsoft.Compute/images/read",
)
POINT_PERMISSIONS = ("Microsoft.Compute/restorePointCollections/read",)
_WORD = re.compile(r"[\w.-]+")
# The machines of an incident were often made from one image.
_published = Memo[tuple[bool, str]](600)


class Source(NamedTuple):
    """What the reimage API takes, or `creation`: the creationData of a disk that takes the OS disk's place."""

    what: str  # "version 24.04.1 of Canonical's …"
    why: str  # it is clean
    version: str = ""  # for the reimage API; a managed image has but one
    creation: Json | None = None


async def choose(azure: "Azure", case: "Case", vm: "Machine", *, swap: bool = True) -> tuple[Source | None, list[str]]:
    """The source to rebuild a machine from, or None; and why those before it were not taken.

    `swap`: whether its OS disk can be exchanged for another.
    """
    since, rejected = first_suspicious(case, vm), list[str]()
    found = await _image(azure, case, vm, since, rejected)
    if found is not None and (swap or found.creation is None):
        return found, rejected
    return (await _restore_point(azure, vm, since, rejected) if swap else None), rejected


def first_suspicious(case: "Case", vm: "Machine") -> datetime:
    """When the suspects first did anything to a machine or its disks; the window's begin where the log has nothing."""
    parts = (vm.id, *vm.disks)
    return min(
        (f.at for f in case.findings if f.suspect and any(within(f.resource, id_) for id_ in parts)), default=case.since
    )


async def _image(azure: "Azure", case: "Case", vm: "Machine", since: datetime, rejected: list[str]) -> Source | None:
    reference = (vm.body["properties"].get("storageProfile") or {}).get("imageReference") or {}
    if id_ := str(reference.get("id") or ""):
        image = ResourceId.parse(id_)
        if image.is_type(_MANAGED) and vm.origin == "image":
            return await _managed(azure, case, image, since, rejected)
        return await _gallery(azure, case, vm, reference, image, since, rejected)
    words = [str(reference.get(name) or "") for name in ("publisher", "offer", "sku")]
    if vm.origin != "image" or not all(words):
        rejected.append(f"{vm.name} was made from no image that Azure knows")
        return None
    version = str(reference.get("exactVersion") or reference.get("version") or "")
    if not all(_WORD.fullmatch(word) for word in (*words, version)):
        rejected.append("its image has a name that none can have")
        return None
    name = ":".join(words)
    path = (
        f"/subscriptions/{vm.resource.subscription}/providers/Microsoft.Compute/locations/{vm.location}/publishers/"
        f"{words[0]}/artifacttypes/vmimage/offers/{words[1]}/skus/{words[2]}/versions"
    )
    offered, version = await _published.get(azure, f"{path}/{version}".lower(), lambda: _offer(azure, path, version))
    if offered:
        why = "its publisher still offers it, and nobody in your subscriptions can write there"
        return Source(what=f"version {version} of the image {name}", why=why, version=version)
    rejected.append(f"the publisher of {name} does not offer version {version} any more")
    return None


async def _offer(azure: "Azure", path: str, version: str) -> tuple[bool, str]:
    """Whether a publisher's list has a version, and which that is: of "latest" the newest."""
    if version == "latest":
        listed: Any = await azure.arm("GET", path, _VERSION, {"$top": "1", "$orderby": "name desc"})  # a bare list
        version = str(listed[0]["name"]) if listed else version
    with absent_is_fine():
        await azure.arm("GET", f"{path}/{version}", _VERSION)
        return True, version
    return False, version


async def _gallery(
    azure: "Azure",
    case: "Case",
    vm: "Machine",
    reference: Json,
    image: ResourceId,
    since: datetime,
    rejected: list[str],
) -> Source | None:
    if not (image.is_type(_IMAGE) or image.is_type(_IMAGE_VERSION)):
        rejected.append(f"Azure does not say when {image.text} was made, or from what")
        return None
    home = image.text if image.is_type(_IMAGE) else image.text[: image.key.rindex("/versions/")]
    pinned = next((id_ for id_ in azure.settings.images if within(id_, home) and id_.lower() != home.lower()), "")
    number = image.name if image.is_type(_IMAGE_VERSION) else str(reference.get("exactVersion") or "")
    version = await _version(azure, pinned or f"{home}/versions/{number}") if pinned or number else None
    definition = None
    with absent_is_fine():
        definition = await azure.arm("GET", home, _GALLERIES)
    if version is None or definition is None:
        rejected.append(f"version {number or '?'} of {home} is not there any more")
        return None
    if pinned:
        why = "it is one of COUNTERSIGN_IMAGES"
    else:
        said = (version["properties"].get("publishingProfile") or {}).get("publishedDate")
        gallery = home[: home.lower().rindex("/images/")]
        hand = next((f for f in case.findings if f.is_deed and within(f.resource, gallery)), None)
        if hand or not said or datetime.fromisoformat(said) >= since:
            how = (
                f"a suspect wrote in its gallery ({hand.operation})"
                if hand
                else f"it was published {said or 'at no known time'}"
            )
            rejected.append(
                f"{version['id']} may be the intruder's: {how}; name it in COUNTERSIGN_IMAGES if it is good"
            )
            return None
        why = f"it was published {said[:16]}, before the first suspicious activity, and no suspect wrote in its gallery"
    what = f"version {version['name']} of the gallery's image {ResourceId.parse(home).name}"
    if str(definition["properties"].get("osState")).lower() == "specialized" or vm.origin != "image":
        return Source(what, why, creation={"createOption": "FromImage", "galleryImageReference": {"id": version["id"]}})
    return Source(what, why, version=str(version["name"]))


async def _managed(
    azure: "Azure", case: "Case", image: ResourceId, since: datetime, rejected: list[str]
) -> Source | None:
    """A managed image, by the list of what its group has."""
    path = f"/subscriptions/{image.subscription}/resourceGroups/{image.group}/resources"
    query = {"$filter": f"resourceType eq {odata(_MANAGED)}", "$expand": "createdTime"}
    made: str | None = None
    with absent_is_fine():
        await azure.arm("GET", image.text, _VERSION)  # a list leaves out what may not be read
        found = [e async for e in azure.arm_pages(path, _LISTS, query) if str(e["id"]).lower() == image.key]
        made = str(found[0].get("createdTime") or "") if found else None
    if made is None:
        rejected.append(f"the image {image.text} is not there any more")
        return None
    hand = any(f.is_deed and within(f.resource, image.text) for f in case.findings)
    if hand or not made or datetime.fromisoformat(made) >= since:
        how = "a suspect wrote it" if hand else f"it was made {made or 'at no known time'}"
        rejected.append(f"{image.text} may be the intruder's: {how}")
        return None
    why = f"it was made {made[:16]}, before the first suspicious activity, and no suspect wrote it"
    return Source(what=f"the managed image {image.name}", why=why)


async def _version(azure: "Azure", id_: str) -> Json | None:
    return await azure.arm_read(id_, _GALLERIES)


async def _restore_point(azure: "Azure", vm: "Machine", since: datetime, rejected: list[str]) -> Source | None:
    """The newest restore point from before; those that Azure Backup makes are among them while it keeps them."""
    home = f"/subscriptions/{vm.resource.subscription}/providers/Microsoft.Compute/restorePointCollections"
    points = list[Json]()
    async for collection in azure.arm_pages(home, _VERSION):
        of = str((collection["properties"].get("source") or {}).get("id") or "")
        if of.lower() == vm.id.lower():
            whole = await azure.arm("GET", collection["id"], _VERSION, {"$expand": "restorePoints"})
            points += whole["properties"].get("restorePoints") or ()
    usable = [p for p in points if _disk_of(p) and p["properties"].get("provisioningState", "Succeeded") == "Succeeded"]
    clean = [p for p in usable if datetime.fromisoformat(p["properties"]["timeCreated"]) < since]
    if not clean:
        rejected.append(f"none of its {len(usable)} restore points is from before {utc(since)}")
        return None
    newest = max(clean, key=lambda p: datetime.fromisoformat(p["properties"]["timeCreated"]))
    made = datetime.fromisoformat(newest["properties"]["timeCreated"])
    return Source(
        what=f"the restore point {newest['name']} of {utc(made)}",
        why=f"it was taken before {utc(since)}, when the first suspicious thing was done to the machine",
        creation={"createOption": "Restore", "sourceResourceId": _disk_of(newest)},
    )


def _disk_of(point: Json) -> str:
    storage = (point["properties"].get("sourceMetadata") or {}).get("storageProfile") or {}
    return str(((storage.get("osDisk") or {}).get("diskRestorePoint") or {}).get("id") or "")
