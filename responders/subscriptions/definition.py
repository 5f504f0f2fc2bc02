"""The definition of a resource: what of a GET's answer is evidence, and what of that makes it anew."""

import re
import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from responders.ids import ResourceId
from responders.model import Json
from responders.subscriptions.resource_types import RECOVERABLE, made_by_azure
from responders.utc import time_of

VM = "microsoft.compute/virtualmachines"
SCALE_SET = "microsoft.compute/virtualmachinescalesets"
# Names under which secrets stand, by their ends: passwordSecretRef or secretUri only say where one is.
_SECRET = re.compile(
    r".*(?:password|passphrase|secret|token|(?:access|account|primary|secondary|shared|storage|api)_?key"
    r"|connectionstring|sharedaccesssignature|sas(?:url|uri)?|customdata|userdata)",
    re.IGNORECASE,
)
_WHOLE = re.compile(r"protected(?:settings|parameters)|securesettings", re.IGNORECASE)
# In an address or a connection string, under whatever name that stands: it opens the door by itself.
_SIGNED = re.compile(r"\b(sig|token|code|accountkey|sharedaccesskey|password|pwd)=[^&;\s\"']+", re.IGNORECASE)
_LOGINS = frozenset({"administratorLogin", "sqlAdministratorLogin"})
_HIDDEN = "(not kept: a secret)"
_BORN = ("vmId", "uniqueId", "resourceGuid", "timeCreated", "creationTime", "creationDate")
_HEAD = frozenset({"id", "name", "type", "systemData", "etag", "managedBy", "resources"})


def evidence(value: Any) -> Any:
    """A copy of what Azure answered, without secrets."""
    if isinstance(value, dict):
        named = isinstance(value.get("name"), str) and _SECRET.fullmatch(value["name"])
        return {key: _kept(key, inner, hide=bool(named and key == "value")) for key, inner in value.items()}
    if isinstance(value, list):
        return [evidence(item) for item in value]
    return _SIGNED.sub(rf"\1={_HIDDEN}", value) if isinstance(value, str) else value


def _kept(key: str, value: Any, *, hide: bool) -> Any:
    secret = _WHOLE.fullmatch(key) or (isinstance(value, str) and value and (hide or _SECRET.fullmatch(key)))
    return _HIDDEN if secret and value else evidence(value)


def hides(value: Any) -> bool:
    """Whether something was left out of the evidence since it is secret."""
    if isinstance(value, dict | list):
        return any(hides(inner) for inner in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and _HIDDEN in value


def born(body: Json) -> Json:
    """What Azure alone gave a resource when it was made, so that what has another is another thing; {} for nothing."""
    properties = body.get("properties") or {}
    marks = {name: properties[name] for name in _BORN if properties.get(name)}
    made = (body.get("systemData") or {}).get("createdAt")
    return {**marks, "createdAt": made} if made else marks


def made_at(body: Json) -> datetime | None:
    """When Azure says that it was made; None where it does not, as many types don't."""
    return time_of((body.get("systemData") or {}).get("createdAt"))


def taken_along(body: Json) -> set[str]:
    """The ids, in lower case, of what Azure deletes with a machine."""
    if str(body.get("type")).lower() != VM:
        return set()
    return {id_ for id_, _, along in disks(body) if along} | {id_ for id_, along in interfaces(body) if along}


def essence(body: Json) -> Json:
    """What of a definition people wrote: two that differ in nothing else are one, and this is how it is made anew."""
    kind = str(body["type"]).lower()
    written = {name: value for name, value in body.items() if name not in _HEAD and value is not None}
    if isinstance(identity := written.get("identity"), dict):
        written["identity"] = {k: v for k, v in identity.items() if k not in {"principalId", "tenantId"}}
        if users := identity.get("userAssignedIdentities"):
            written["identity"]["userAssignedIdentities"] = {id_: {} for id_ in users}
    if "properties" in written:
        written["properties"] = _without(written["properties"], made_by_azure(kind))
    return written


def same(now: Json, before: Json) -> bool:
    """Whether it is still the thing whose evidence was taken, and no more is deleted with it.

    Tags and settings its maker may write at any time: they make no other thing of it. Where Azure gave it no mark of
    its own when it was made, only another definition tells that something else has its name now; tags tell nothing.
    """
    if mark := born(before):
        return born(now) == mark and taken_along(now) <= taken_along(before)
    then, now = essence(before), essence({"type": before["type"], **evidence(now)})
    return {**then, "tags": None} == {**now, "tags": None}


def rewritten(pairs: Iterable[tuple[Json, Json]]) -> list[Json]:
    """Of definitions as they are and as the evidence has them those that differ, without secrets."""
    found = [({**evidence(now), "type": then["type"]}, then) for now, then in pairs]
    return [now for now, then in found if essence(now) != essence(then)]


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(inner, names) for name, inner in value.items() if name not in names}
    return [_without(item, names) for item in value] if isinstance(value, list) else value


def again(body: Json, own: frozenset[str]) -> Json:
    """What a PUT takes to make a resource anew, or to recover it. `own`: ids of disks that a machine's making makes."""
    kind = str(body["type"]).lower()
    written: Json = _shown(essence(body))
    if recovery := RECOVERABLE.get(kind):
        written["properties"] = {**written.get("properties", {}), **recovery.properties}
    if kind == VM:
        written["properties"] = _machine(written["properties"], own)
    with_passwords: Json = _with_passwords(written)
    return with_passwords


def _with_passwords(value: Any) -> Any:
    """A copy with a password for each administrator who has none: Azure makes no machine and no server without.

    Nobody learns it: it is set anew by whoever needs it.
    """
    if not isinstance(value, dict):
        return [_with_passwords(inner) for inner in value] if isinstance(value, list) else value
    made = {key: _with_passwords(inner) for key, inner in value.items()}
    for login in _LOGINS & value.keys():
        made.setdefault(f"{login}Password", _unknown())
    profile = made.get("osProfile") or {}
    if profile and not (profile.get("linuxConfiguration") or {}).get("disablePasswordAuthentication"):
        profile.setdefault("adminPassword", _unknown())
    return made


def _unknown() -> str:
    return f"Aa1!{secrets.token_urlsafe(24)}"


def _shown(value: Any) -> Any:
    """A copy without what stands for secrets."""
    if isinstance(value, dict):
        return {key: _shown(inner) for key, inner in value.items() if not (isinstance(inner, str) and hides(inner))}
    return [_shown(inner) for inner in value] if isinstance(value, list) else value


def _machine(model: Json, own: frozenset[str]) -> Json:
    """A machine's model with new disks in place of those that went with it, and with the others attached."""
    storage = dict(model.get("storageProfile") or {})
    system, model = dict(storage.get("osDisk") or {}), dict(model)
    if (disk := disk_id(system)) and disk not in own:
        system["createOption"] = "Attach"  # it has been set up already
        storage.pop("imageReference", None)
        model.pop("osProfile", None)
    storage["osDisk"] = _fresh(system, own)
    if disks := storage.get("dataDisks"):
        storage["dataDisks"] = [_fresh(d if disk_id(d) in own else {**d, "createOption": "Attach"}, own) for d in disks]
    return {**model, "storageProfile": storage}


def _fresh(disk: Json, own: frozenset[str]) -> Json:
    """A disk of a model: one that is made with the machine has no id yet."""
    if disk_id(disk) not in own:
        return disk
    managed = {k: v for k, v in (disk.get("managedDisk") or {}).items() if k != "id"}
    return {**disk, "managedDisk": managed}


def disk_id(disk: Json) -> str:
    """The id of the managed disk that a model names, in lower case, or ""."""
    return str((disk.get("managedDisk") or {}).get("id") or "").lower()


def disks(body: Json) -> Iterator[tuple[str, str, bool]]:
    """Of a machine's disks the id, how it came to it (createOption), and whether it is deleted with the machine."""
    storage = (body.get("properties") or {}).get("storageProfile") or {}
    for disk in (storage.get("osDisk") or {}, *(storage.get("dataDisks") or ())):
        if id_ := disk_id(disk):
            yield id_, str(disk.get("createOption")).lower(), disk.get("deleteOption") == "Delete"


def interfaces(body: Json) -> Iterator[tuple[str, bool]]:
    """A machine's network interfaces, and whether each is deleted with the machine."""
    for nic in ((body.get("properties") or {}).get("networkProfile") or {}).get("networkInterfaces") or ():
        yield str(nic.get("id")).lower(), (nic.get("properties") or {}).get("deleteOption") == "Delete"


def mentions(value: Any) -> Iterator[str]:
    """All ids of resources that a definition names, in lower case: as values, and as keys (assigned identities)."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from mentions(key)
            yield from mentions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from mentions(inner)
    elif isinstance(value, str) and value.lower().startswith("/subscriptions/"):
        yield value.lower()


def exported(group: str, entry: Json) -> Json:
    """An entry of an exported template as {"id", "version", "body"}: type a/b/c and name x/y become one id."""
    namespace, *types = entry["type"].split("/")
    path = "".join(f"/{kind}/{name}" for kind, name in zip(types, str(entry["name"]).split("/"), strict=True))
    id_ = ResourceId.parse(f"{group}/providers/{namespace}{path}").text
    drop = {"apiVersion", "dependsOn", "name", "comments", "condition"}
    body = {k: v for k, v in entry.items() if k not in drop}
    return {"id": id_, "version": entry["apiVersion"], "body": {**body, "id": id_}}
