"""The exercise file: a benign deed or an attack, how people answer the alert, and what must then be so.

docs/exercises.md teaches to write one; `python -m sandbox schema` prints the format as JSON Schema.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sandbox.world_file import Additions, Call, Part

Json = dict[str, Any]
Texts = str | tuple[str, ...]


class Entities(Part, frozen=True, kw_only=True):
    """Whom and what the alert names. Each is one text or a list of them."""

    account: Annotated[Texts, Meta(description="The suspect first: user principal names, display names or ids.")] = ()
    ip: Annotated[Texts, Meta(description="Addresses.")] = ()
    resource: Annotated[Texts, Meta(description="ARM ids.")] = ()

    def accounts(self) -> tuple[str, ...]:
        return _texts(self.account)

    def addresses(self) -> tuple[str, ...]:
        return _texts(self.ip)

    def resources(self) -> tuple[str, ...]:
        return _texts(self.resource)


class AlertSpec(Part, frozen=True, kw_only=True):
    """The alert that Defender raises, and the way by which it reaches the responder."""

    type: Annotated[str, Meta(description="Defender's alert type: ARM_AnomalousRBACRoleAssignment.", min_length=1)]
    at: Annotated[timedelta, Meta(description="When that happened which it is about, before now: -PT35M.")]
    via: Annotated[
        Literal["eventgrid", "logicapp", "manual"],
        Meta(description="An Event Grid event, a Logic App's call, or a person who names the alert's id."),
    ]
    entities: Annotated[
        Entities | tuple[Json, ...],
        Meta(description="Whom and what it names; or a list of entities as Defender writes them."),
    ] = Entities()
    severity: Annotated[Literal["Informational", "Low", "Medium", "High"], Meta(description="Defender's severity.")] = (
        "High"
    )
    description: Annotated[str, Meta(description="Defender's text.")] = ""
    details: Annotated[dict[str, str], Meta(description="Defender's extendedProperties.")] = {}
    subscription: Annotated[
        str,
        Meta(description="GUID of the subscription it is raised in. Left out: that of the first resource it names."),
    ] = ""

    def __post_init__(self) -> None:
        if self.at > timedelta():
            raise ValueError("`at` lies in the future; alerts are raised before now, e.g. -PT35M")


class Answers(Part, frozen=True, kw_only=True):
    """How people answer."""

    owner: Annotated[
        Literal["expected", "unexpected", "silence"], Meta(description="What the resource's owner says, if anything.")
    ]
    approvals: Annotated[
        Literal["all", "none"] | dict[str, Literal["reject"]],
        Meta(description="Approvers grant all, leave all unanswered, or grant all but the steps they reject by name."),
    ] = "all"
    named: Annotated[
        tuple[str, ...] | None,
        Meta(
            description="ARM ids of what is not known to be unfamiliar and is offered by name only: the approvers name "
            "these, and no others. Left out: those of it that are to be evicted."
        ),
    ] = None


class LogIn(Part, frozen=True, kw_only=True):
    """A way into a machine that the attacker knows."""

    machine: Annotated[str, Meta(description="ARM id of the machine.")]
    user: Annotated[str, Meta(description="The local user.")]
    password: Annotated[str, Meta(description="The password that he knows.")] = ""
    key: Annotated[str, Meta(description="Or the SSH public key of the pair that he has.")] = ""

    def __post_init__(self) -> None:
        if bool(self.password) == bool(self.key):
            raise ValueError("a way in has either a `password` or a `key`")


class Expect(Part, frozen=True, kw_only=True):
    """What must be so when the response is over. Whatever `evicted` doesn't name must be as before it."""

    evicted: Annotated[
        tuple[str, ...],
        Meta(
            description="ARM ids, /users/<name or id>, /servicePrincipals/<name or id>, /groups/<id>/members/<id>: "
            "gone; or neutralised: an account disabled, or nothing of what the attacker knew of it signs in any more; "
            "a machine deallocated."
        ),
    ] = ()
    returned: Annotated[
        tuple[str, ...],
        Meta(
            description="/users/<name or id>: accounts that their owners have back with a new password from the vault, "
            "which they change; while nothing of what the attacker knew signs in any more."
        ),
    ] = ()
    reverted: Annotated[
        tuple[str, ...],
        Meta(description="ARM ids of what the attack changed: as before the attack, byte for byte."),
    ] = ()
    locked_out: Annotated[
        tuple[LogIn, ...],
        Meta(
            description="Ways into machines that worked after the attack and must not in the end, even if the machine "
            "was back in the network: the password is another one, the user or the key is gone."
        ),
    ] = ()
    rebuilt: Annotated[
        tuple[str, ...],
        Meta(description="ARM ids of machines of `evicted` that run with another system in the end, free of malware."),
    ] = ()
    kept: Annotated[tuple[str, ...], Meta(description="Ids worth naming among those that must be as before.")] = ()
    alert: Annotated[
        Literal["dismissed", "resolved", "open"], Meta(description="The alert's state in Defender at the end.")
    ]


class Exercise(Part, frozen=True, kw_only=True):
    """A rehearsal: something is done in a world, an alert comes of it, and the response is scored."""

    id: Annotated[str, Meta(description="The exercise's name: small letters, digits, hyphens.", pattern="^[a-z0-9-]+$")]
    title: Annotated[str, Meta(description="What happens, in a sentence.")]
    techniques: Annotated[
        tuple[str, ...], Meta(description="ATT&CK, Azure Threat Research Matrix or Stratus Red Team ids.")
    ] = ()
    world: Annotated[str, Meta(description="The world it starts from, by name; or a .yaml beside this file.")]
    extend: Annotated[Additions, Meta(description="What this exercise adds to the world.")] = Additions()
    guards: Annotated[
        tuple[str, ...], Meta(description="Subscriptions that the responder guards besides those of the world: GUIDs.")
    ] = ()
    scopes: Annotated[
        tuple[str, ...],
        Meta(description="Where the responder has its rights besides: ids of management groups, / for the root."),
    ] = ()
    history: Annotated[tuple[Call, ...], Meta(description="What honest people did before.")] = ()
    attack: Annotated[tuple[Call, ...], Meta(description="What the attacker does.")] = ()
    alert: Annotated[AlertSpec, Meta(description="The alert.")]
    answers: Annotated[Answers, Meta(description="How people answer.")]
    expect: Annotated[Expect, Meta(description="What must be so in the end.")]


def schema() -> Json:
    """The JSON Schema of an exercise file."""
    made = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(Exercise)))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Countersign exercise", **made}


def _texts(value: Texts) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
