"""One operation of the Activity Log, whatever source and spelling its events came in."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from responders.model import Json

Source = Literal["azure_monitor", "log_analytics"]


class Activity(Struct, frozen=True, kw_only=True):
    """One operation: its events (started, accepted, succeeded or failed) joined. Texts that are missing are ""."""

    at: datetime  # of the first event
    until: datetime  # of the last
    operation: str  # "microsoft.compute/virtualmachines/runcommand/action", lower case
    outcome: Literal["started", "accepted", "succeeded", "failed"]  # as far as it is known
    resource: str  # ARM id, as spelled
    subscription: str  # GUID, lower case; "" in the tenant's own log
    caller: str  # user principal name, or the id of an application
    oid: str = ""  # Entra object id of the caller, lower case
    tid: str = ""  # tenant of the caller's token, lower case
    home: str = ""  # tenant of the subscription, where the event says, lower case
    appid: str = ""  # client application, lower case
    appidacr: str = ""  # 0 public client, 1 secret, 2 certificate
    idtyp: str = ""  # "app" or "user", where the token says
    amr: tuple[str, ...] = ()  # authentication methods, e.g. ("pwd", "mfa")
    wids: tuple[str, ...] = ()  # directory role templates in the token
    uti: str = ""  # unique token id: the join to the sign-in log
    address: str = ""  # that the call came from
    token_address: str = ""  # that the token was issued to
    role: str = ""  # by which the caller was allowed, where the source says
    principal_type: str = ""
    status: str = ""  # sub status, e.g. "Forbidden", "Conflict", "Created"
    correlation: str = ""
    category: str = ""
    request: Json = {}  # parsed body, from the started event; {} when there is none
    response: Json = {}  # parsed body, from the accepted or last event
    events: tuple[str, ...] = ()  # event ids
    source: Source = "azure_monitor"

    @property
    def human(self) -> bool:
        """Whether a person's token made the call."""
        return self.idtyp != "app" and "@" in self.caller
