"""Sets the stage for an exercise: its world, the responder's identity with exactly its rights, and its settings."""

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from responders.actions import permissions
from sandbox import machines
from sandbox.azure import Sandbox, World
from sandbox.azure.well_known import made_up_id
from sandbox.exercise import Exercise
from sandbox.reading import BadFile
from sandbox.scene import Scene
from sandbox.score import JOB, State, key_of
from sandbox.world_file import Additions

Json = dict[str, Any]

# How old the world is. Older than any window in which suspects are held to account, younger than the log keeps.
AGE = timedelta(days=365)
AUDITS_LAG = 300  # seconds; in Azure 99 of 100 entries are there by then
ROLES = Path(__file__).parents[1] / "infra" / "roles.json"
GRAPH = ROLES.with_name("graph-permissions.json")
# What a deployment makes besides, in a subscription of its own: a vault for new passwords.
HOME = f"/subscriptions/{made_up_id('subscription', 'countersign')}"
GROUP = f"{HOME}/resourceGroups/rg-countersign"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv-countersign"
EVIDENCE = f"{HOME}/resourceGroups/rg-countersign-evidence"
DESK = "service-desk"  # the identity that hands new passwords out
_SECRETS = "Microsoft.KeyVault/vaults/secrets/"
# What evidence takes, in the group for it.
_EVIDENCE = ("Microsoft.Compute/snapshots/", "Microsoft.Authorization/locks/")
_KINDS = {"": "actions", "not": "notActions", "data": "dataActions"}  # of rights, as world files spell them
_NAMING = {"members", "owners", "principal", "created_by"}  # fields that name identities


def build(scene: Scene) -> World:
    """The world of a scene, with the responder in it. Raises BadFile when the sandbox can't make it."""
    parts = {part.name for part in msgspec.structs.fields(Additions)} - {"names"}
    data = {name: value for name, value in msgspec.to_builtins(scene.world).items() if name in {*parts, "tenant"}}
    for entry in (*data.get("groups", ()), *data.get("service_principals", ()), *data.get("role_assignments", ())):
        for field in _NAMING & entry.keys():  # the sandbox knows no applications by name
            value = entry[field]
            entry[field] = scene.who(value) if isinstance(value, str) else [scene.who(name) for name in value]
    for user in data.get("users", ()):
        if not user.get("tenant") and user.get("type") != "Guest":
            user["password"] = user.get("password") or password(user["upn"])
    responder = scene.world.responder
    for party in (_deployment(), _deployed(responder.name, _scopes(scene))):
        for name, entries in party.items():
            data[name] = [*data.get(name, ()), *entries]
    world = World()
    try:
        world.load(data, scene.now - AGE)
    except ValueError as error:
        raise BadFile(f"{scene.file}: the world can't be made: {error}") from error
    world.directory.audits_lag = AUDITS_LAG
    return world


def password(upn: str) -> str:
    """The password of somebody to whom a world gives none: a thief in his name knows it."""
    return f"Pw-{made_up_id('password', upn)}"


def admit(world: World, scene: Scene, name: str, rights: Iterable[str]) -> None:
    """Put another identity into a world, with these rights and no others: what it had before is taken from it."""
    directory, me = world.directory, identity(scene, name)
    for held in [key for key, grant in directory.app_roles.items() if grant["principalId"] == me]:
        del directory.app_roles[held]
    world.load(_with_rights(name, rights, _scopes(scene)), scene.now - AGE)


def environment(scene: Scene, sandbox: Sandbox, folder: Path) -> dict[str, str]:
    """App settings of the responder: those of the sandbox, and those of its deployment."""
    responder = scene.world.responder
    names = {user.id: user.upn for user in scene.world.users}
    approvers = [names[id_] for id_ in scene.role("Approver") if id_ in names]
    return {
        **sandbox.environment(_app_id(responder.name)),
        "COUNTERSIGN_SUBSCRIPTIONS": ",".join(responder.subscriptions),
        "COUNTERSIGN_EVIDENCE": str(folder / "evidence"),
        "COUNTERSIGN_VAULT": f"{sandbox.endpoints.vault}/{VAULT.rsplit('/', 1)[-1]}",
        "COUNTERSIGN_EVIDENCE_GROUP": EVIDENCE,
        "COUNTERSIGN_OWNERS": ",".join(names[id_] for id_ in scene.role("Owner") if id_ in names),
        "COUNTERSIGN_APPROVERS": ",".join(approvers),
        **responder.settings,
    }


def identity(scene: Scene, name: str = "") -> str:
    """Object id of the responder, or of another identity that it was built with."""
    return made_up_id("service principal", _app_id(name or scene.world.responder.name))


def state(sandbox: Sandbox, exercise: Exercise) -> State:
    """What a score compares: the world's snapshot, what is in machines by itself, and the jobs that are to be stopped.

    Evidence, which lies in a group of the deployment's own, is no part of it.
    """
    kept = f"{EVIDENCE}/providers/".lower()
    found = {key: body for key, body in sandbox.world.snapshot().items() if not key.startswith(kept)}
    machines.show(sandbox.world, found)
    for text in exercise.expect.evicted:
        job = sandbox.world.get(key_of(text, {}))
        if job is not None and job.type.lower() == JOB:
            found[job.key] = {"type": job.type, "properties": {"status": job.properties.get("status")}}
    return found


def _app_id(name: str) -> str:
    return made_up_id("app", name)


def _scopes(scene: Scene) -> list[str]:
    """Where the responder has its role. In Azure no custom role can be given at the root: there a built-in one is."""
    responder = scene.world.responder
    return [*(f"/subscriptions/{subscription}" for subscription in responder.subscriptions), *responder.scopes]


def _deployed(name: str, scopes: list[str]) -> dict[str, list[Json]]:
    """The responder's identity, with the roles and the Graph permissions that infra/ deploys."""
    client = _app_id(name)
    me = made_up_id("service principal", client)
    at = {"secrets": [VAULT], "evidence": [EVIDENCE], "logs": []}  # a workspace lies in the subscriptions here
    definitions, assignments = [], []
    for key, role in json.loads(ROLES.read_bytes()).items():
        where, title = at.get(key, scopes), f"{role['name']} ({name})"
        rights = {f"{kind}_actions".lstrip("_"): role[spelled] for kind, spelled in _KINDS.items()}
        # Who may write a role has to be allowed to wherever it can be given: in this group the responder never is.
        definitions.append({"name": title, "scopes": [*where, GROUP], **rights})
        condition = role["condition"].replace("<principal>", me)
        assignments += [{"scope": s, "role": title, "principal": client, "condition": condition} for s in where]
    graph = [entry["value"] for entries in json.loads(GRAPH.read_bytes()).values() for entry in entries]
    written = {*graph, *(right for role in definitions for kind in ("actions", "data_actions") for right in role[kind])}
    if missing := sorted({*permissions()} - written):
        raise BadFile(f"{ROLES} lacks rights that actions need: {', '.join(missing)}. Write it anew: make rights")
    return {
        "service_principals": [{"name": name, "appId": client, "kind": "managed_identity", "graph_permissions": graph}],
        "role_definitions": definitions,
        "role_assignments": assignments,
    }


def _with_rights(name: str, rights: Iterable[str], scopes: list[str]) -> dict[str, list[Json]]:
    """An identity with these rights and no others, everywhere that a deployment would give it any."""
    rights = tuple(rights)
    graph = [right for right in rights if "/" not in right]
    secrets = [right for right in rights if right.startswith(_SECRETS)]
    evidence = [right for right in rights if right.startswith(_EVIDENCE)]
    arm = [right for right in rights if "/" in right and right not in secrets]
    client, role, keeper, collector = _app_id(name), name, f"{name}, secrets", f"{name}, evidence"
    return {
        "service_principals": [{"name": name, "appId": client, "kind": "managed_identity", "graph_permissions": graph}],
        "role_definitions": [
            {"name": role, "scopes": scopes, "actions": arm},
            {"name": keeper, "scopes": [VAULT], "data_actions": secrets},
            {"name": collector, "scopes": [EVIDENCE], "actions": evidence},
        ],
        "role_assignments": [
            *({"scope": scope, "role": role, "principal": client} for scope in scopes),
            {"scope": VAULT, "role": keeper, "principal": client},
            {"scope": EVIDENCE, "role": collector, "principal": client},
        ],
    }


def _deployment() -> dict[str, list[Json]]:
    """What a deployment makes besides the responder's identity."""
    properties = {"sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True, "enableSoftDelete": True}
    return {
        "subscriptions": [{"id": HOME.rsplit("/", 1)[-1], "name": "Countersign"}],
        "resource_groups": [{"id": id_, "location": "westeurope"} for id_ in (GROUP, EVIDENCE)],
        "resources": [{"id": VAULT, "location": "westeurope", "properties": properties}],
        "service_principals": [{"name": DESK, "appId": _app_id(DESK)}],
        "role_assignments": [{"scope": VAULT, "role": "Key Vault Secrets User", "principal": _app_id(DESK)}],
    }
