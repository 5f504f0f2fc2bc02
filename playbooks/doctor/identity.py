"""Who asks, and when."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from playbooks.doctor.check import Deployment, Result, broken, can_t_tell, ok, redeployed
from playbooks.doctor.probe import probe
from responders import directory
from responders.azure import segment

_SKEW = timedelta(minutes=5)  # what Entra ID's tokens bear


async def signs_in(deployment: Deployment) -> list[Result]:
    """The responder's identity."""
    azure = deployment.its.azure
    own = await azure.own_id()
    id_ = deployment.identity or own
    found = await directory.principal(azure, id_)
    if found is None:
        fix = "Name the object id (not the client id) of the responder's identity: --identity OBJECT-ID"
        return [broken(signs_in, f"identity {id_}", "The directory has no such object.", fix)]
    if found.kind in {"user", "guest"}:
        why = f"{found.name or found.upn} is a person; the rights that are looked at are this person's."
        fix = "Name the responder's identity: --identity OBJECT-ID"
        return [can_t_tell(signs_in, why, fix)]
    entry = await azure.graph("GET", f"/servicePrincipals/{segment(id_)}", {"$select": "id,accountEnabled"})
    if not entry.get("accountEnabled", True):
        fix = f"az ad sp update --id {id_} --set accountEnabled=true"
        return [broken(signs_in, f"identity {found.name}", "It is disabled: it gets no tokens.", fix)]
    return [ok(signs_in, f"identity {found.name} ({id_})")]


async def tenant(deployment: Deployment) -> list[Result]:
    """Whether the subscriptions belong to the directory that the responder signs in to."""
    azure = deployment.its.azure
    [home] = (await azure.graph("GET", "/organization", {"$select": "id"}))["value"]
    found = []
    for subscription in deployment.settings.subscriptions:
        where = f"directory of {subscription}"
        theirs = str((await azure.arm("GET", f"/subscriptions/{subscription}", "2022-12-01"))["tenantId"])
        if theirs.lower() == home["id"].lower():
            found.append(ok(tenant, where, "It is the responder's."))
            continue
        why = f"It is {theirs}, and the responder's is {home['id']}: whose accounts its users are can't be read there."
        fix = redeployed("subscriptions of its own tenant; another tenant takes a deployment of its own")
        found.append(broken(tenant, where, why, fix))
    return found


async def clock(deployment: Deployment) -> list[Result]:
    """The clock of this machine."""
    said = (await probe(deployment.settings.arm)).headers.get("Date", "")
    if not said:
        return [can_t_tell(clock, f"{deployment.settings.arm} does not tell the time.")]
    away = datetime.now(UTC) - parsedate_to_datetime(said)
    if abs(away) > _SKEW:
        why = f"It is {abs(away).total_seconds():.0f} seconds {'ahead of' if away > timedelta() else 'behind'} Azure's."
        return [broken(clock, "clock of this machine", why, "Set the clock of this machine: timedatectl set-ntp true")]
    return [ok(clock, "clock of this machine", "It goes with Azure's.")]
