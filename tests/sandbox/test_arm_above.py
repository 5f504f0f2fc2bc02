"""Above the subscription: management groups, the root, elevated access; and what is older than RBAC."""

from tests.sandbox.arm import (
    AUTH,
    CHIEF,
    MALLORY,
    MG,
    NOBODY,
    OPS,
    OTHER,
    OWNER,
    READER_ROLE,
    STORE,
    SUB,
    Arm,
    Json,
    S,
    an_id,
    arm,
)

TREE = "/providers/Microsoft.Management/managementGroups"
OVER = "2020-05-01"
ADMIN_ROLE = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
WORLD: Json = {
    "role_assignments": [{"scope": f"{TREE}/root", "role": "Owner", "principal": CHIEF}],
    "resources": [
        {
            "id": f"{S}{AUTH}/classicAdministrators/8f3b",
            "properties": {"emailAddress": "mallory@outlook.example", "role": "CoAdministrator"},
        },
        {
            "id": f"{S}{AUTH}/denyAssignments/{an_id(9)}",
            "properties": {
                "denyAssignmentName": "managed application",
                "scope": STORE,
                "permissions": [{"actions": ["*/delete"], "notActions": [], "dataActions": [], "notDataActions": []}],
                "principals": [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}],
                "excludePrincipals": [],
                "isSystemProtected": True,
            },
        },
    ],
}


def given(role: str, principal: str) -> Json:
    return {"properties": {"roleDefinitionId": f"{AUTH}/roleDefinitions/{role}", "principalId": principal}}


async def listed(call: Arm, who: str, scope: str = S, **query: str) -> set[str]:
    answer = await call("GET", f"{scope}{AUTH}/roleAssignments", who=who, **query)
    return {entry["properties"]["scope"] for entry in answer.body["value"]}


async def test_a_role_above_the_subscription_counts_in_it_and_is_taken_away_above() -> None:
    async with arm(WORLD) as call:
        path = f"{MG}{AUTH}/roleAssignments/{an_id(1)}"
        assert (await call("PUT", path, given(OWNER, call.oid(NOBODY)))).status == 403
        made = await call("PUT", path, given(OWNER, call.oid(NOBODY)), who=CHIEF)
        assert (made.status, made.body["properties"]["scope"]) == (201, MG)
        assert (await call("PATCH", STORE, {"tags": {"a": "b"}}, who=NOBODY)).status == 200
        assert MG in await listed(call, OPS, filter=f"atScope() and principalId eq '{call.oid(NOBODY)}'")
        # By the subscription's own path there is no such assignment.
        assert (await call("DELETE", f"{S}{AUTH}/roleAssignments/{an_id(1)}")).status == 204
        assert (await call("DELETE", path, who=CHIEF)).status == 200
        assert (await call("PATCH", STORE, {"tags": {"a": "c"}}, who=NOBODY)).status == 403


async def test_elevated_access_shows_at_the_root_and_is_given_back_there() -> None:
    async with arm() as call:
        assert (await call("POST", f"{AUTH}/elevateAccess", who=CHIEF, version="2016-07-01")).status == 200
        assert "/" in await listed(call, OPS, filter="atScope()")
        answer = await call("GET", f"{AUTH}/roleAssignments", who=CHIEF, filter="atScope()")
        (root,) = answer.body["value"]
        assert root["properties"]["roleDefinitionId"] == f"{AUTH}/roleDefinitions/{ADMIN_ROLE}"
        assert (await call("DELETE", root["id"])).status == 403
        assert (await call("DELETE", root["id"], who=CHIEF)).status == 200
        assert "/" not in await listed(call, OPS, filter="atScope()")


async def test_the_tree_can_be_read_from_any_group() -> None:
    async with arm(WORLD) as call:
        whole = await call("GET", TREE, who=CHIEF, version=OVER)
        assert [g["name"] for g in whole.body["value"]] == ["contoso", "root"]
        group = (await call("GET", MG, who=CHIEF, version=OVER)).body["properties"]
        assert group["details"]["parent"]["name"] == "root"
        below = await call("GET", f"{TREE}/root/descendants", who=CHIEF, version=OVER)
        assert {d["name"]: d["properties"]["parent"]["id"] for d in below.body["value"]} == {
            "contoso": f"{TREE}/root",
            SUB: MG,
        }
        assert (await call("GET", f"{MG}/subscriptions", who=CHIEF, version=OVER)).ids == {f"{MG}/subscriptions/{SUB}"}
        assert (await call("GET", MG, who=MALLORY, version=OVER)).status == 403
        assert (await call("GET", f"{TREE}/none", who=CHIEF, version=OVER)).status == 403
        deep = f"{call.azure.endpoints.arm}{TREE}/root?api-version={OVER}&$expand=children&$recurse=true"
        (child,) = (await call("GET", deep, who=CHIEF)).body["properties"]["children"]
        assert [c["name"] for c in child["children"]] == [SUB]


async def test_a_subscription_that_moves_takes_the_roles_of_its_new_place() -> None:
    more: Json = {"role_assignments": [{"scope": f"/subscriptions/{OTHER}", "role": "Owner", "principal": CHIEF}]}
    async with arm({**WORLD, **{k: WORLD[k] + v for k, v in more.items()}}) as call:
        path = f"{MG}/subscriptions/{OTHER}"
        assert await listed(call, CHIEF, f"/subscriptions/{OTHER}") == {f"/subscriptions/{OTHER}"}
        assert (await call("PUT", path, who=CHIEF, version=OVER)).status == 200
        assert MG in await listed(call, CHIEF, f"/subscriptions/{OTHER}")
        assert (await call("DELETE", MG, who=CHIEF, version=OVER)).code == "GroupNotEmpty"
        assert (await call("DELETE", path, who=CHIEF, version=OVER)).status == 200
        assert await listed(call, CHIEF, f"/subscriptions/{OTHER}") == {f"/subscriptions/{OTHER}"}


async def test_classic_administrators_are_listed_and_removed() -> None:
    async with arm(WORLD) as call:
        path = f"{S}{AUTH}/classicAdministrators"
        (entry,) = (await call("GET", path, version="2015-07-01")).body["value"]
        assert entry["properties"]["role"] == "CoAdministrator"
        assert (await call("DELETE", entry["id"], version="2015-07-01", who=MALLORY)).status == 403
        assert (await call("DELETE", entry["id"], version="2015-07-01")).status == 200
        assert not (await call("GET", path, version="2015-07-01")).ids


async def test_what_azure_denies_nobody_can_allow() -> None:
    async with arm(WORLD) as call:
        path = f"{S}{AUTH}/denyAssignments/{an_id(9)}"
        assert (await call("GET", f"{S}{AUTH}/denyAssignments")).ids == {path}
        assert (await call("DELETE", STORE)).code == "DenyAssignmentAuthorizationFailed"
        assert (await call("DELETE", path)).code == "MethodNotAllowed"


async def test_a_role_for_a_group_below_is_listed_only_when_asked_for() -> None:
    async with arm() as call:
        role = {"roleName": "Runner", "assignableScopes": [STORE], "permissions": [{"actions": ["*/read"]}]}
        path = f"{S}{AUTH}/roleDefinitions"
        assert (await call("PUT", f"{path}/{an_id(3)}", {"properties": role})).status == 201
        custom = "type eq 'CustomRole'"
        assert not (await call("GET", path, filter=custom)).ids
        assert len((await call("GET", path, filter=f"atScopeAndBelow() and {custom}")).ids) == 1


async def test_a_widened_role_gives_its_holders_more_and_keeps_its_maker() -> None:
    async with arm() as call:
        path = f"{S}{AUTH}/roleDefinitions/{an_id(3)}"
        narrow: Json = {"roleName": "Runner", "assignableScopes": [S], "permissions": [{"actions": ["*/read"]}]}
        made = (await call("PUT", path, {"properties": narrow})).body["properties"]
        holds = {"properties": {"roleDefinitionId": path, "principalId": call.oid(NOBODY)}}
        await call("PUT", f"{S}{AUTH}/roleAssignments/{an_id(4)}", holds)
        assert (await call("PATCH", STORE, {"tags": {}}, who=NOBODY)).status == 403
        wide = {**narrow, "permissions": [{"actions": ["*"]}]}
        changed = (await call("PUT", path, {"properties": wide}, who=OPS)).body["properties"]
        assert (changed["createdOn"], changed["permissions"][0]["actions"]) == (made["createdOn"], ["*"])
        assert (await call("PATCH", STORE, {"tags": {}}, who=NOBODY)).status == 200
        assert (await call("DELETE", path)).code == "RoleDefinitionHasAssignments"
        assert READER_ROLE in {d["name"] for d in (await call("GET", f"{S}{AUTH}/roleDefinitions")).body["value"]}
