from typing import Any

import pytest

from sandbox.azure import conditions
from tests.sandbox.arm import (
    AUTH,
    CHIEF,
    CONTRIBUTOR,
    MALLORY,
    MEMBER,
    MG,
    NOBODY,
    OPS,
    OWNER,
    PROVIDER,
    READER,
    READER_ROLE,
    STORE,
    TECH,
    Arm,
    G,
    Json,
    S,
    an_id,
    arm,
    assignment,
)

SITE = f"{G}/providers/Microsoft.Web/sites/shop"
BLOBS = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"  # Storage Blob Data Contributor


def held(principal: str, role: str, scope: str, **more: str) -> Json:
    return {"role_assignments": [{"scope": scope, "role": role, "principal": principal, **more}]}


async def reads(call: Arm, path: str, who: str) -> bool:
    status = (await call("GET", path, who=who)).status
    assert status in {200, 403}
    return status == 200


@pytest.mark.parametrize("scope", ["/", MG.replace("contoso", "root"), MG, S, G, STORE])
async def test_a_role_reaches_from_its_scope_down(scope: str) -> None:
    async with arm(held(NOBODY, "Reader", scope)) as call:
        assert await reads(call, STORE, NOBODY)


@pytest.mark.parametrize("scope", [f"{G}2", f"{STORE}2", f"{STORE}/blobServices/default"])
async def test_a_role_does_not_reach_beside_or_above_its_scope(scope: str) -> None:
    async with arm() as call:
        if scope.startswith(f"{G}2"):
            await call("PUT", scope, {"location": "westeurope"})
        elif "blob" in scope:
            await call("PUT", scope, {"properties": {}})
        else:
            await call("PUT", scope, {"location": "westeurope"})
        call.azure.world.load(held(NOBODY, "Reader", scope), call.azure.clock.now())
        assert not await reads(call, STORE, NOBODY)


async def test_a_role_comes_through_nested_groups() -> None:
    async with arm() as call:
        assert await reads(call, STORE, MEMBER)
        assert not await reads(call, STORE, NOBODY)


async def test_a_missing_right_is_refused_in_resource_managers_words() -> None:
    async with arm() as call:
        answer = await call("PUT", SITE, {"location": "westeurope"}, who=READER)
        assert (answer.status, answer.code) == (403, "AuthorizationFailed")
        assert answer.message == (
            f"The client '{READER}' with object id '{call.oid(READER)}' does not have authorization to perform action "
            f"'Microsoft.Web/sites/write' over scope '{SITE}' or the scope is invalid. If access was recently granted, "
            "please refresh your credentials."
        )
        assert SITE not in call.azure.world


async def test_a_contributor_writes_everything_but_access() -> None:
    async with arm() as call:
        assert (await call("PUT", SITE, {"location": "westeurope"}, who=MALLORY)).status == 201
        path = f"{S}{AUTH}/roleAssignments/{an_id(1)}"
        assert (await call("PUT", path, assignment(OWNER, call.oid(MALLORY)), who=MALLORY)).status == 403
        lock = {"properties": {"level": "ReadOnly"}}
        assert (await call("PUT", f"{S}{AUTH}/locks/x", lock, who=MALLORY, version="2020-05-01")).status == 403


async def test_a_role_that_is_taken_away_is_gone_at_once() -> None:
    async with arm() as call:
        given = f"{S}{AUTH}/roleAssignments/{an_id(1)}"
        await call("PUT", given, assignment(READER_ROLE, call.oid(NOBODY)))
        assert await reads(call, STORE, NOBODY)
        await call("DELETE", given)
        assert not await reads(call, STORE, NOBODY)


async def test_a_custom_role_gives_what_its_wildcards_cover_and_not_what_it_takes_back() -> None:
    role = {"name": "Web", "scopes": [S], "actions": ["Microsoft.Web/*/read", "*/write"]}
    extra = {"role_definitions": [{**role, "not_actions": ["Microsoft.Storage/*"]}], **held(NOBODY, "Web", S)}
    async with arm(extra) as call:
        assert (await call("PUT", SITE, {"location": "westeurope"}, who=NOBODY)).status == 201
        assert await reads(call, SITE, NOBODY)
        assert (await call("DELETE", SITE, who=NOBODY)).status == 403
        assert (await call("PUT", STORE, {"location": "westeurope"}, who=NOBODY)).status == 403


async def test_what_one_role_takes_back_another_may_still_give() -> None:
    role = {"name": "Less", "scopes": [S], "actions": ["*"], "not_actions": ["Microsoft.Web/*"]}
    gifts = [{"scope": S, "role": r, "principal": NOBODY} for r in ("Less", "Reader")]
    async with arm({"role_definitions": [role], "role_assignments": gifts}) as call:
        await call("PUT", SITE, {"location": "westeurope"})
        assert await reads(call, SITE, NOBODY)


async def test_a_deny_assignment_wins_over_every_role() -> None:
    denial = {
        "id": f"{G}{AUTH}/denyAssignments/{an_id(9)}",
        "properties": {
            "denyAssignmentName": "no deletes",
            "permissions": [{"actions": ["*/delete"], "notActions": []}],
            "scope": G,
            "principals": [{"id": an_id(0).replace("4", "0").replace("8", "0"), "type": "SystemDefined"}],
            "excludePrincipals": [],
        },
    }
    async with arm({"resources": [denial]}) as call:
        answer = await call("DELETE", STORE)
        assert (answer.status, answer.code) == (403, "DenyAssignmentAuthorizationFailed")
        assert await reads(call, STORE, OPS)
        assert (await call("GET", f"{S}{AUTH}/denyAssignments")).ids == {denial["id"]}


async def test_a_delegation_gives_people_of_another_tenant_their_roles_until_it_is_deleted() -> None:
    async with arm() as call:
        tech = call.azure.world.directory.anyone(TECH)
        assert tech
        base = f"{S}/providers/Microsoft.ManagedServices"
        definition, delegation = (
            f"{base}/registrationDefinitions/{an_id(1)}",
            f"{base}/registrationAssignments/{an_id(2)}",
        )
        contract = {
            "managedByTenantId": PROVIDER,
            "authorizations": [{"principalId": tech["id"], "roleDefinitionId": CONTRIBUTOR}],
        }
        await call("PUT", definition, {"properties": contract}, version="2022-10-01")
        await call("PUT", delegation, {"properties": {"registrationDefinitionId": definition}}, version="2022-10-01")
        assert (await call("PUT", SITE, {"location": "westeurope"}, who=TECH)).status == 201
        listed = await call(
            "GET", f"{base}/registrationAssignments", version="2022-10-01", expandRegistrationDefinition="true"
        )
        shown = listed.body["value"][0]["properties"]["registrationDefinition"]["properties"]
        assert shown["managedByTenantId"] == PROVIDER
        assert (await call("GET", f"{S}{AUTH}/roleAssignments", filter=f"principalId eq '{tech['id']}'")).ids == set()
        assert (await call("DELETE", definition, version="2022-10-01")).code == (
            "InvalidRegistrationDefinitionDeleteRequest"
        )
        ending = await call("DELETE", delegation, version="2022-10-01")
        assert ending.status == 202
        assert (await call("GET", ending.headers["Location"])).status == 200
        assert (await call("GET", SITE, who=TECH)).status == 401
        assert (await call("DELETE", delegation, version="2022-10-01")).status == 204
        assert (await call("DELETE", definition, version="2022-10-01")).status == 200


async def test_a_delegation_counts_only_when_it_is_made() -> None:
    async with arm() as call:
        tech = call.azure.world.directory.anyone(TECH)
        assert tech
        call.azure.world.pace.polls = 1
        base = f"{S}/providers/Microsoft.ManagedServices"
        definition = f"{base}/registrationDefinitions/{an_id(1)}"
        contract = {
            "managedByTenantId": PROVIDER,
            "authorizations": [{"principalId": tech["id"], "roleDefinitionId": CONTRIBUTOR}],
        }
        await call("PUT", definition, {"properties": contract}, version="2022-10-01")
        body = {"properties": {"registrationDefinitionId": definition}}
        delegation = f"{base}/registrationAssignments/{an_id(2)}"
        making = await call("PUT", delegation, body, version="2022-10-01")
        assert (making.status, making.body["properties"]["provisioningState"]) == (201, "Creating")
        assert (await call("GET", STORE, who=TECH)).status == 401
        assert (await call("GET", making.headers["Location"])).status == 202
        assert (await call("GET", making.headers["Location"])).body["properties"]["provisioningState"] == "Succeeded"
        assert (await call("GET", STORE, who=TECH)).status == 200


@pytest.mark.parametrize("change", [{"managedByTenantId": ""}, {"role": OWNER}, {"role": BLOBS}])
async def test_what_lighthouse_never_delegates_is_refused(change: dict[str, str]) -> None:
    async with arm() as call:
        role = {"principalId": an_id(1), "roleDefinitionId": change.get("role", CONTRIBUTOR)}
        contract = {"managedByTenantId": change.get("managedByTenantId", PROVIDER), "authorizations": [role]}
        path = f"{S}/providers/Microsoft.ManagedServices/registrationDefinitions/{an_id(1)}"
        answer = await call("PUT", path, {"properties": contract}, version="2022-10-01")
        assert answer.code == "InvalidRegistrationDefinitionCreateRequest"


async def test_a_role_with_a_condition_gives_only_what_the_condition_allows() -> None:
    condition = (
        "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR "
        "(@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {ROLE})) AND "
        "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})) OR "
        "(@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {ROLE}))"
    ).replace("ROLE", READER_ROLE)
    name = "Role Based Access Control Administrator"
    async with arm(held(NOBODY, name, S, condition=condition)) as call:
        reader, owner = (f"{S}{AUTH}/roleAssignments/{an_id(n)}" for n in (1, 2))
        friend = call.oid(MEMBER)
        assert (await call("PUT", owner, assignment(OWNER, friend), who=NOBODY)).status == 403
        assert (await call("PUT", reader, assignment(READER_ROLE, friend), who=NOBODY)).status == 201
        await call("PUT", owner, assignment(OWNER, friend))
        assert (await call("DELETE", owner, who=NOBODY)).status == 403
        assert (await call("DELETE", reader, who=NOBODY)).status == 200


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("@Request[x:PrincipalType] StringEqualsIgnoreCase 'user'", True),
        ("@Request[x:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {'Group', 'User'}", True),
        ("@Request[x:RoleDefinitionId] ForAnyOfAllValues:GuidNotEquals {AAA, bbb}", False),
        ("@Request[x:RoleDefinitionId] ForAnyOfAllValues:GuidNotEquals {ccc, bbb}", True),
        ("Exists @Request[x:Nothing] || NOT Exists @Resource[x:Nothing]", True),
        ("ActionMatches{'A/*/write'} AND !(ActionMatches{'A/b/delete'})", True),
        ("@Request[x:PrincipalType] StringEquals 'user'", False),
    ],
)
def test_conditions_read_the_language_of_constrained_delegation(expression: str, *, expected: bool) -> None:
    request: dict[str, Any] = {"principalType": "User", "roleDefinitionId": "/providers/x/roleDefinitions/aaa"}
    assert conditions.holds(expression, conditions.Attributes("A/b/write", request, {})) is expected


@pytest.mark.parametrize("expression", ["", "(", "@Other[x:y] StringEquals 'a'", "@Request[x:y] Sounds 'a'", "a b c"])
def test_an_unreadable_condition_allows_nothing(expression: str) -> None:
    assert not conditions.holds(expression, conditions.Attributes("A/b/write", {}, {}))


async def test_a_global_administrator_can_take_access_to_everything() -> None:
    async with arm() as call:
        elevate = f"{AUTH}/elevateAccess"
        assert (await call("POST", elevate, who=MALLORY, version="2016-07-01")).status == 403
        assert not await reads(call, STORE, CHIEF)
        assert (await call("POST", elevate, who=CHIEF, version="2016-07-01")).status == 200
        assert (await call("POST", elevate, who=CHIEF, version="2016-07-01")).status == 200
        assert await reads(call, STORE, CHIEF)
        listed = (await call("GET", f"{S}{AUTH}/roleAssignments", filter="atScope()")).body["value"]
        (root,) = [a for a in listed if a["properties"]["scope"] == "/"]
        assert root["id"].startswith(f"{AUTH}/roleAssignments/")
        assert root["properties"]["principalId"] == call.oid(CHIEF)


async def test_one_can_ask_for_ones_own_permissions() -> None:
    async with arm() as call:
        (permission,) = (await call("GET", f"{G}{AUTH}/permissions", who=MEMBER)).body["value"]
        assert permission["actions"] == ["*/read"]
        assert (await call("GET", f"{G}{AUTH}/permissions", who=NOBODY)).status == 403
