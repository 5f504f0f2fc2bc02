"""What an application was given, and whether it is one that an intruder made."""

from typing import Any

from responders.action import Action
from responders.model import Plan, Principal, Subject
from responders.service_principals.delete import Delete
from responders.service_principals.disable import Disable
from responders.service_principals.remove_grants import RemoveGrants
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import CHIEF, DEPLOYER, MALLORY, OPS, SUBSCRIPTION

DELETE, GRANTS = Delete(), RemoveGrants()
GRAPH = "00000003-0000-0000-c000-000000000000"
MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
RIGHTS = [right for right in (*DELETE.permissions, *GRANTS.permissions) if "/" not in right]


async def _plan(its: Tenant, action: Action, id_: str) -> Plan:
    mallory = Principal(id=its.graph.id(MALLORY), kind="user", upn=MALLORY)
    suspect = Principal(id=id_, kind="service_principal", because="mallory made it")
    its.forget()
    case = its.case.having(suspects=(mallory, suspect))
    return await action.plan(case, Subject(kind="service_principal", id=id_), its.azure)


async def _mail_is_given(its: Tenant) -> dict[str, Any]:
    """Mallory lets the deployer send mail as anybody; the assignment."""
    directory, id_, graph = its.sandbox.world.directory, its.graph.id(DEPLOYER), its.graph.id(GRAPH)
    directory.assign_role(its.graph.id(MALLORY), "Global Administrator")
    role = next(r["id"] for r in directory.objects[graph]["appRoles"] if r["value"] == "Mail.Send")
    its.later(minutes=1)
    body = {"principalId": id_, "resourceId": graph, "appRoleId": role}
    return dict(await its.does(MALLORY, "POST", f"/servicePrincipals/{id_}/appRoleAssignments", body))


async def _makes(its: Tenant, by: str = MALLORY) -> dict[str, Any]:
    """Somebody registers an application. Returns its service principal."""
    its.later(minutes=1)
    app = await its.does(by, "POST", "/applications", {"displayName": "helper"})
    found: dict[str, Any] = await its.does(by, "POST", "/servicePrincipals", {"appId": app["appId"]})
    return found


def _reads(its: Tenant) -> None:
    role = {"scope": f"/subscriptions/{SUBSCRIPTION}", "role": "Reader", "principal": its.graph.id(_responder(its))}
    its.sandbox.world.load({"role_assignments": [role]}, its.sandbox.clock.now())


def _responder(its: Tenant) -> str:
    objects = its.sandbox.world.directory.objects.values()
    return str(next(o["appId"] for o in objects if o.get("displayName") == "responder"))


async def test_an_application_of_a_suspect_goes_whole_and_comes_back_whole() -> None:
    async with tenant(*RIGHTS) as its:
        _reads(its)
        made = await _makes(its)
        planted = its.state()

        plan = await _plan(its, DELETE, made["id"])
        assert [c.familiarity for c in plan.changes] == ["unfamiliar"]
        assert set(plan.changes[0].before) >= {"application", "principal", "owners", "roleAssignments"}
        assert await its.apply(DELETE, *plan.changes) == ["done"]
        assert its.sandbox.world.directory.application(made["appId"]) is None
        assert its.sandbox.world.directory.find(made["appId"]) is None
        assert await its.apply(DELETE, *plan.changes) == ["already_so"]

        assert await its.undo(DELETE, *plan.changes) == ["done"]
        assert its.state() == planted
        assert await its.undo(DELETE, *plan.changes) == ["already_so"]


async def test_of_an_application_of_another_tenant_only_the_service_principal_goes() -> None:
    async with tenant(*RIGHTS) as its:
        _reads(its)
        made = await _makes(its)
        directory = its.sandbox.world.directory
        directory.purge(str(directory.application(made["appId"])["id"]))  # type: ignore[index]

        plan = await _plan(its, DELETE, made["id"])

        assert [c.resource for c in plan.changes] == [f"/servicePrincipals/{made['id']}"]
        assert await its.apply(DELETE, *plan.changes) == ["done"]


async def test_an_application_that_somebody_else_made_in_the_window_is_offered_by_name() -> None:
    async with tenant(*RIGHTS) as its:
        _reads(its)
        made = await _makes(its, CHIEF)

        assert [c.familiarity for c in (await _plan(its, DELETE, made["id"])).changes] == ["unknown"]


async def test_an_application_that_was_there_before_is_kept() -> None:
    async with tenant(*RIGHTS) as its:
        plan = await _plan(its, DELETE, its.graph.id(DEPLOYER))

        assert plan.changes == ()
        assert plan.kept[0].startswith("deployer: nobody added it in the window")


async def test_microsofts_own_are_neither_disabled_nor_deleted() -> None:
    async with tenant(*RIGHTS) as its:
        entry = its.sandbox.world.directory.objects[its.graph.id(DEPLOYER)]
        entry["appOwnerOrganizationId"] = MICROSOFT

        for action in (Disable(), DELETE):
            plan = await _plan(its, action, entry["id"])
            assert plan.changes == ()
            assert "Microsoft's own" in plan.kept[0]


async def test_permissions_consents_and_owners_given_by_a_suspect_go_and_come_back() -> None:
    async with tenant(*RIGHTS) as its:
        id_, graph = its.graph.id(DEPLOYER), its.graph.id(GRAPH)
        await _mail_is_given(its)
        body: dict[str, Any] = {
            "clientId": id_,
            "consentType": "AllPrincipals",
            "resourceId": graph,
            "scope": "Mail.Read",
        }
        await its.does(MALLORY, "POST", "/oauth2PermissionGrants", body)
        body = {"@odata.id": f"{its.sandbox.endpoints.graph}/v1.0/directoryObjects/{its.graph.id(OPS)}"}
        await its.does(MALLORY, "POST", f"/servicePrincipals/{id_}/owners/$ref", body)
        planted = its.state()

        plan = await _plan(its, GRANTS, id_)
        assert [c.before["kind"] for c in plan.changes] == ["role", "consent", "owner"]
        assert its.graph.id(OPS) in plan.changes[2].principals  # whom it concerns may not countersign it
        assert await its.apply(GRANTS, *plan.changes) == ["done"] * 3
        assert (await _plan(its, GRANTS, id_)).changes == ()
        assert await its.apply(GRANTS, *plan.changes) == ["already_so"] * 3
        assert await its.undo(GRANTS, *reversed(plan.changes)) == ["done"] * 3

        assert its.state() == planted


async def test_what_is_given_anew_after_the_plan_and_what_has_no_date_goes_too() -> None:
    async with tenant(*RIGHTS) as its:
        id_, given = its.graph.id(DEPLOYER), await _mail_is_given(its)
        roles = its.sandbox.world.directory.app_roles
        roles[given["id"]].pop("createdDateTime")

        plan = await _plan(its, GRANTS, id_)
        assert [(c.before["kind"], c.familiarity) for c in plan.changes] == [("role", "unfamiliar")]
        roles["another"] = {**roles.pop(given["id"]), "id": "another"}
        assert await its.apply(GRANTS, *plan.changes) == ["done"]

        assert "another" not in roles


async def test_a_consent_that_was_widened_gets_its_scopes_back() -> None:
    async with tenant(*RIGHTS) as its:
        its.sandbox.world.directory.assign_role(its.graph.id(MALLORY), "Global Administrator")
        id_ = its.graph.id(DEPLOYER)
        old = {"id": "old", "clientId": id_, "consentType": "AllPrincipals", "principalId": None}
        old |= {"resourceId": its.graph.id(GRAPH), "scope": "User.Read"}
        its.sandbox.world.directory.consents["old"] = old
        its.later(minutes=1)
        await its.does(MALLORY, "PATCH", "/oauth2PermissionGrants/old", {"scope": "User.Read Mail.Read"})

        plan = await _plan(its, GRANTS, id_)
        assert await its.apply(GRANTS, *plan.changes) == ["done"]
        assert its.sandbox.world.directory.consents["old"]["scope"] == "User.Read"
        assert await its.undo(GRANTS, *plan.changes) == ["done"]

        assert its.sandbox.world.directory.consents["old"]["scope"] == "User.Read Mail.Read"
