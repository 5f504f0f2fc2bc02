"""What a check gets, and what it comes to."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from responders.ids import ResourceId
from responders.model import Json
from responders.services import Services
from responders.settings import Settings

NAME_IT = "Name the resource group of the deployment: --group /subscriptions/…/resourceGroups/…"
State = Literal["ok", "broken", "can't tell"]


class Result(Struct, frozen=True, kw_only=True):
    """What one check found out about one thing."""

    check: str
    looked_at: str
    state: State
    why: str = ""  # of what is ok: what there is
    fix: str = ""  # a command or a setting; "" where nothing is to be done


@dataclass(frozen=True)
class Deployment:
    """The deployment that is examined."""

    its: Services
    # Object id of the responder's identity, where somebody else asks; "" when it asks itself.
    identity: str = ""
    # The resource group that it was deployed to, by its id; "" when nobody said.
    group: str = ""
    # Roles of infra/roles.json that it does without.
    left_out: tuple[str, ...] = ()

    @property
    def settings(self) -> Settings:
        return self.its.settings

    @cached_property
    def subscriptions(self) -> tuple[str, ...]:
        """Where its parts lie: its group's and its evidence group's, and those that it guards."""
        homes = [ResourceId.parse(id_).subscription for id_ in (self.group, self.settings.evidence_group) if id_]
        return tuple(dict.fromkeys([*homes, *(s.lower() for s in self.settings.subscriptions)]))

    async def resource(self, kind: str, name: str, version: str) -> Json | None:
        """The resource of that type and name, wherever it lies."""
        for subscription in self.subscriptions:
            async for found in self.its.azure.arm_pages(f"/subscriptions/{subscription}/providers/{kind}", version):
                if str(found.get("name", "")).lower() == name.lower():
                    return found
        return None

    def beneath(self, resource: str, kind: str, version: str) -> AsyncIterator[Json]:
        """What of a kind there is in a resource or a group."""
        return self.its.azure.arm_pages(f"{ResourceId.parse(resource).text}/{kind}", version)


Check = Callable[[Deployment], Awaitable[list[Result]]]


def name_of(check: Check) -> str:
    """The id under which a check is told: "defending.plan"."""
    return f"{check.__module__.rpartition('.')[2]}.{check.__name__}"


def can_t_tell(check: Check, why: str, fix: str = "") -> Result:
    """That something could not be looked at."""
    looked_at = (check.__doc__ or "").partition(".")[0]
    return Result(check=name_of(check), looked_at=looked_at, state="can't tell", why=why, fix=fix)


def ok(check: Check, looked_at: str, why: str = "") -> Result:
    return Result(check=name_of(check), looked_at=looked_at, state="ok", why=why)


def broken(check: Check, looked_at: str, why: str, fix: str) -> Result:
    return Result(check=name_of(check), looked_at=looked_at, state="broken", why=why, fix=fix)


def redeployed(parameter: str) -> str:
    """The way to another value of a setting: what is set by hand, the next deployment takes back."""
    return f"Deploy infra/main.bicep again, with {parameter}: docs/deploy.md, step 2."


def labels(url: str) -> list[str]:
    """The names in a service's URL: of https://<name>.vault.azure.net the first, and the parts of its path."""
    split = urlsplit(url)
    host = split.hostname or ""
    path = [part for part in split.path.split("/") if part]
    return path if host == "127.0.0.1" else [host.partition(".")[0], *path]
