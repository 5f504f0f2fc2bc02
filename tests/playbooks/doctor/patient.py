"""A deployment on the sandbox, what is done to it, and what the doctor says."""

from collections.abc import Callable

from azure.core.pipeline.transport import AioHttpTransport

from playbooks import doctor
from playbooks.doctor.check import Deployment, Result
from responders.azure import Azure
from responders.services import Services
from responders.settings import Settings
from sandbox.azure import Sandbox
from sandbox.azure.well_known import made_up_id
from sandbox.scene import Scene
from sandbox.stage import GROUP, identity

DORA, GLASS = "dora@contoso.example", "glass@contoso.example"


class Patient:
    """A deployment, and what is done to it."""

    def __init__(self, scene: Scene, sandbox: Sandbox, settings: dict[str, str]) -> None:
        self.scene, self.sandbox, self.settings = scene, sandbox, settings

    def change(self, id_: str, **properties: object) -> None:
        """Change properties of a resource."""
        world = self.sandbox.world
        found = world.get(id_)
        assert found, id_
        world.put(id_, {**found.body, "properties": {**found.properties, **properties}})

    def delete(self, id_: str) -> None:
        self.sandbox.world.delete(id_)

    def without(self, name: str, right: str) -> None:
        """Take a right out of one of the responder's roles."""
        [role] = [r for r in self.sandbox.world if r.properties.get("roleName") == name]
        [before] = role.properties["permissions"]
        taken = {kind: [a for a in before.get(kind) or () if a != right] for kind in ("actions", "dataActions")}
        assert taken != {kind: before.get(kind) or [] for kind in taken}
        self.change(role.id, permissions=[{**before, **taken}])

    async def examined(
        self, *, by: str = DORA, whose: str | None = None, group: str = GROUP, left_out: tuple[str, ...] = ()
    ) -> list[Result]:
        settings = Settings.load(self.settings)
        its = Services(settings)
        transport = AioHttpTransport(connection_verify=self.sandbox.ca_file)
        its.__dict__["azure"] = Azure(settings, self.sandbox.credential(by), transport)
        try:
            me = identity(self.scene) if whose is None else whose
            return await doctor.examine(Deployment(its, me, group, left_out))
        finally:
            await its.close()
            await transport.close()


def unassigned(role: str, *keep: str) -> Callable[[Patient], None]:
    """Take an app role of Countersign from all but those who keep it."""

    def take(patient: Patient) -> None:
        directory, id_ = patient.sandbox.world.directory, made_up_id("app role", role)
        kept = {entry["id"] for who in keep if (entry := directory.anyone(who))}
        for key in [
            k for k, a in directory.app_roles.items() if a["appRoleId"] == id_ and a["principalId"] not in kept
        ]:
            del directory.app_roles[key]

    return take


def disabled(who: str) -> Callable[[Patient], None]:
    def disable(patient: Patient) -> None:
        directory = patient.sandbox.world.directory
        entry = directory.anyone(who) if "@" in who else directory.objects[identity(patient.scene)]
        assert entry
        entry["accountEnabled"] = False

    return disable


def states(found: list[Result]) -> dict[str, set[str]]:
    return {state: {one.check for one in found if one.state == state} for state in ("broken", "can't tell")}
