from typing import TYPE_CHECKING

from responders.errors import Temporary
from responders.model import Case, Change, Json, Outcome, Plan, Undoes
from responders.subscriptions import automation_assets, planted
from responders.subscriptions.automation import ACCOUNT, VERSION

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Subject

_STAMPS = frozenset({"creationTime", "lastModifiedTime", "lastModifiedBy"})


class RemoveAutomationAssets:
    """Delete what else a suspect planted in Automation accounts in the window, where Azure shows all of it.

    Variables that are not encrypted, connections, connection types, hybrid worker groups and workers: runbooks read
    these, or run on machines of the intruder's choice. Undo makes them anew. The rest is `purge_automation_assets`.
    What was there before and a suspect wrote or deleted is for a person: Azure keeps nothing of what it was.
    """

    id = "subscriptions.remove_automation_assets"
    permissions = (
        f"{ACCOUNT}/read",
        *(
            f"{ACCOUNT}/{collection}/{right}"
            for collection in ("variables", "connections", "connectionTypes", *automation_assets.HYBRID)
            for right in ("read", "write", "delete")
        ),
        *planted.PERMISSIONS,
    )
    reversible = True
    undoes = Undoes(gone=True, along=("workers",))

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        return await automation_assets.plan(self.id, case, subject, azure, shown=True)

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        return await automation_assets.delete(change, azure)

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        return await automation_assets.gone(change, azure)

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        missing = [item for item in _all(change) if await automation_assets.read(azure, item["id"]) is None]
        if not missing:
            return Outcome(status="already_so", reason="It is there.")
        for item in missing:
            await azure.arm("PUT", item["id"], VERSION, body=_again(item))
        if any([await automation_assets.read(azure, item["id"]) is None for item in missing]):
            raise Temporary(f"It was made anew, and does not show yet: {change.summary}.")
        return Outcome(status="done", reason=f"Made anew. {change.lasting}")


def _all(change: Change) -> list[Json]:
    return [change.before["item"], *change.before["workers"]]


def _again(item: Json) -> Json:
    """What a PUT takes to make it anew."""
    machine = item["properties"].get("vmResourceId")
    kept = {k: v for k, v in item["properties"].items() if k not in _STAMPS and v is not None}
    return {"name": item["name"], "properties": {"vmResourceId": machine} if machine else kept}
