"""Whom to ask about a resource."""

from typing import TYPE_CHECKING

from responders import directory
from responders.azure import absent_is_fine
from responders.ids import ResourceId
from responders.model import Case, Principal

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.settings import Settings

PERMISSIONS = ("Microsoft.Resources/tags/read",)


async def find(azure: "Azure", case: Case, settings: "Settings") -> tuple[Principal, ...]:
    """Whom the owner tag names, on the resource, else its group, else the subscription; else whom the settings name.

    Never a suspect. A name that the directory doesn't know is passed over.
    """
    for scope in _scopes(case):
        tags: dict[str, str] = {}
        with absent_is_fine():
            answer = await azure.arm("GET", f"{scope}/providers/Microsoft.Resources/tags/default", "2021-04-01")
            tags = answer["properties"].get("tags") or {}
        wanted = settings.owner_tag.lower()
        named = next((v for k, v in tags.items() if k.lower() == wanted), "")
        if people := await _people(azure, case, named.replace(";", ",").split(",")):
            return people
    return await _people(azure, case, settings.owners)


def _scopes(case: Case) -> list[str]:
    subscription = f"/subscriptions/{case.subscription}"
    scopes = []
    for text in case.alert.resources:
        resource = ResourceId.parse(text)
        if resource.subscription == case.subscription and resource.group:
            group = f"{subscription}/resourceGroups/{resource.group}"
            scopes += [resource.text, group] if resource.type else [group]
    return [*dict.fromkeys(scopes), subscription]


async def _people(azure: "Azure", case: Case, given: "list[str] | tuple[str, ...]") -> tuple[Principal, ...]:
    found = [await directory.user(azure, name.strip()) for name in given if name.strip()]
    return tuple(p for p in found if p is not None and not case.suspect(p.id))
