"""What an exercise file may not say though its shape is right: names nobody has, calls to nowhere, doubtful ids."""

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from responders.errors import Permanent
from responders.ids import ResourceId
from sandbox.exercise import Exercise, Expect
from sandbox.reading import Field
from sandbox.world_file import Call, WorldFile

ARM, GRAPH = "https://management.azure.com", "https://graph.microsoft.com"
Mistakes = Iterator[tuple[Field, str]]
# An object of the directory, what lies beneath one (/groups/<id>/members/<id>), or a role or grant by its ends.
_OR = (
    "In the directory it is /users/<name or object id>, /servicePrincipals/… or /groups/…, and /groups/…/members/…; "
    "of a name with spaces in it the object id, which ${name} stands for."
)
_DIRECTORY_ID = re.compile(
    r"/(?:(?:users|groups|servicePrincipals|applications|appRoleAssignments|oauth2PermissionGrants)|roleManagement/\w+)"
    r"(?:/[^/\s]+)+",
    re.IGNORECASE,
)


_USER = re.compile(r"/users/[^/\s]+", re.IGNORECASE)


def url(target: str) -> str:
    """The full URL, on Microsoft's own hosts, of what a call names."""
    if target.startswith("graph:"):
        return GRAPH + "/v1.0" + target.removeprefix("graph:")
    return ARM + target if target.startswith("/") else target


def of_calls(part: str, calls: Sequence[Call], identities: Mapping[str, str]) -> Mistakes:
    """What is wrong with calls: the field, and what."""
    for index, call in enumerate(calls):
        if call.by.lower() not in identities:
            yield (part, index, "as"), f"nobody is called {call.by!r}: not in the world, `extend`, or an earlier call"
        where = urlsplit(url(call.target))
        host = f"{where.scheme}://{where.netloc}".lower()
        if host not in {ARM, GRAPH} or not where.path.startswith("/"):
            yield (
                (part, index, call.method),
                "is neither a path like /subscriptions/…, nor graph:/…, nor a URL of these two",
            )
        elif host == ARM and "api-version" not in parse_qs(where.query):
            yield (part, index, call.method), "Resource Manager wants an api-version: …?api-version=2022-04-01"


def of_exercise(exercise: Exercise, world: WorldFile, identities: Mapping[str, str]) -> Mistakes:
    """What is wrong with an exercise, its names already filled in."""
    identities = {**identities, **dict.fromkeys(_made(exercise, world), "")}
    yield from of_calls("history", exercise.history, identities)
    yield from of_calls("attack", exercise.attack, identities)
    yield from _of_expect(exercise.expect)
    for index, text in enumerate(exercise.answers.named or ()):
        try:
            ResourceId.parse(text)
        except Permanent as error:
            yield ("answers", "named", index), str(error)
    held = {role for person in (*world.users, *world.service_principals) for role in person.app_roles}
    for field, role, needed in (
        (("alert", "via"), "Sender", exercise.alert.via == "logicapp"),
        (("alert", "via"), "Approver", exercise.alert.via == "manual"),
        (("answers", "owner"), "Owner", exercise.answers.owner != "silence"),
        (("answers", "approvals"), "Approver", exercise.answers.approvals != "none"),
    ):
        if needed and role not in held:
            yield field, f"nobody in this world has the app role {role}, which this needs"


def _of_expect(expect: Expect) -> Mistakes:
    for part in ("evicted", "reverted", "kept"):
        for index, text in enumerate(getattr(expect, part)):
            if not _DIRECTORY_ID.fullmatch(text):
                try:
                    ResourceId.parse(text)
                except Permanent as error:
                    yield ("expect", part, index), f"{error} {_OR}"
    for index, text in enumerate(expect.returned):
        if not _USER.fullmatch(text):
            yield ("expect", "returned", index), "is no /users/<name or object id>"
    yield from _of_ways(expect)
    evicted = {text.lower() for text in expect.evicted}
    for part in ("reverted", "kept"):
        for index, text in enumerate(getattr(expect, part)):
            if text.lower() in evicted:
                yield ("expect", part, index), "is also in `evicted`"


def _of_ways(expect: Expect) -> Mistakes:
    for index, way in enumerate(expect.locked_out):
        try:
            ResourceId.parse(way.machine)
        except Permanent as error:
            yield ("expect", "locked_out", index, "machine"), str(error)


def _made(exercise: Exercise, world: WorldFile) -> Iterator[str]:
    """Names of the identities that the exercise itself makes, by Graph."""
    for call in (*exercise.history, *exercise.attack):
        if call.method == "post" and isinstance(call.body, dict):
            for key in ("userPrincipalName", "displayName", "appId"):
                if isinstance(call.body.get(key), str):
                    yield call.body[key].lower()
            if isinstance(mail := call.body.get("invitedUserEmailAddress"), str) and world.users:
                yield f"{mail.replace('@', '_')}#ext#@{world.users[0].upn.partition('@')[2]}".lower()
