"""Management locks, and what they stop."""

from typing import Any

from sandbox.azure import ids, providers
from sandbox.azure.errors import ApiError, bad_request
from sandbox.azure.lists import page
from sandbox.azure.resources import need, need_parent, rendered
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.world import World

Json = dict[str, Any]

TYPE = "Microsoft.Authorization/locks"
LEVELS = ("CanNotDelete", "ReadOnly")
_LOCKS = "/{scope}/providers/Microsoft.Authorization/locks"

room = Room("Microsoft.Authorization", {"locks": providers.PROVIDERS["Microsoft.Authorization"]["locks"]})


def check(call: Call) -> None:
    """Raise ApiError 409 when a lock forbids the call.

    CanNotDelete forbids deletes at its scope and below, ReadOnly all writes and actions too. A delete is also stopped
    by locks below it. People of a managing tenant (Lighthouse) aren't stopped; nor are changes to locks.
    """
    reads = call.method in {"GET", "HEAD"} or call.action.lower().endswith("/read")
    own = call.action.lower().startswith("microsoft.authorization/locks/")
    if reads or own or call.caller.tenant != call.world.tenant:
        return
    deletes = call.method == "DELETE"
    hit = holding(call.world, call.scope) if deletes else _read_only(call.world, call.scope)
    if hit:
        verb = "delete" if deletes else "write"
        message = (
            f"The scope '{call.scope}' cannot perform {verb} operation because following scope(s) are locked: "
            f"'{','.join(sorted(set(hit)))}'. Please remove the lock and try again."
        )
        raise ApiError(409, "ScopeLocked", message)


def holding(world: World, scope: str) -> list[str]:
    """The locked scopes that forbid to delete one: its own, those above and those below it."""
    found = (_scope(lock.id) for lock in world.list(TYPE))
    return [at for at in found if ids.within(scope, at) or ids.within(at, scope)]


def _read_only(world: World, scope: str) -> list[str]:
    found = (_scope(lock.id) for lock in world.list(TYPE) if lock.properties["level"] == "ReadOnly")
    return [at for at in found if ids.within(scope, at)]


@room.on("GET", _LOCKS, f"{TYPE}/read")
async def list_locks(call: Call) -> Reply:
    """List locks at, above and below a scope; with atScope() none below."""
    scope, text = call.params["scope"], call.query.get("$filter", "").replace(" ", "").lower()
    if text not in {"", "atscope()"}:
        raise bad_request("InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")
    found = [
        rendered(lock)
        for lock in call.world.list(TYPE)
        if ids.within(scope, _scope(lock.id)) or (not text and ids.within(lock.id, scope))
    ]
    return page(call, found)


@room.on("GET", f"{_LOCKS}/{{name}}", f"{TYPE}/read")
async def get_lock(call: Call) -> Reply:
    """Read one lock."""
    found = call.world.get(call.path)
    if found is None:
        raise ApiError(404, "LockNotFound", f"The lock '{call.params['name']}' could not be found.")
    return Reply(200, rendered(found))


@room.on("PUT", f"{_LOCKS}/{{name}}", f"{TYPE}/write")
async def put_lock(call: Call) -> Reply:
    """Lock a scope."""
    need_parent(call)
    if "/providers/" not in call.params["scope"].lower():
        need(call, call.params["scope"])
    given = call.body.get("properties") or {}
    level = next((known for known in LEVELS if known.lower() == str(given.get("level")).lower()), None)
    if level is None:
        message = f"The lock level '{given.get('level')}' is invalid. The supported levels are '{', '.join(LEVELS)}'."
        raise bad_request("LockLevelNotSupported", message)
    kept = {k: given[k] for k in ("notes", "owners") if given.get(k)}
    status = 200 if call.path in call.world else 201
    body = {"type": TYPE, "properties": {"level": level, **kept}}
    return Reply(status, rendered(call.world.put(call.path, body, call.author, call.version)))


@room.on("DELETE", f"{_LOCKS}/{{name}}", f"{TYPE}/delete")
async def delete_lock(call: Call) -> Reply:
    """Unlock a scope."""
    return Reply(200 if call.world.delete(call.path) else 204)


def _scope(id_: str) -> str:
    """What a lock is on."""
    return id_[: id_.lower().rindex("/providers/microsoft.authorization/locks/")]
