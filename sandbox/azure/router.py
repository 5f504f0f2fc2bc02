"""Rooms register what they answer; the router finds it.

How to add a room
-----------------
One provider, one file: its routes, its state (all in `world`), its errors. Then one line in `arm.ROOMS`.

    from sandbox.azure.router import Call, Reply, Room
    from sandbox.azure.errors import ApiError

    room = Room("Microsoft.Automation", {"automationAccounts": ("2024-10-23", "2023-11-01")})
    _ACCOUNT = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Automation/…/{account}"

    @room.on("POST", _ACCOUNT + "/jobs/{job}/stop", "Microsoft.Automation/automationAccounts/jobs/stop/action")
    async def stop(call: Call) -> Reply:
        job = call.world.get(call.parent)         # the path without "/stop"; call.params["job"] is the name as sent
        ...
        call.world.put(job.id, job.body, call.author, call.version)
        return Reply(200)

* What a room doesn't route is answered generically (resources.py): PUT, PATCH, GET, HEAD, DELETE and lists of any type.
  So a room says only what its types do beyond that. An unknown POST is a 501 that names it.
* `{name}` matches one segment, `{scope}` (only at the beginning) any scope, the root included. Literals in any case.
* The action is what RBAC asks for at `call.scope`: the request's own path, or for collections what they hang on.
  Without an action, or with guarded=False, the handler asks: `call.require(action, scope)`, `call.allowed(…)`.
* api-versions: by type, in the spelling of Azure; child types inherit. Another one is a 400 that lists the known. What
  the room says comes first, then the table of providers.py; a type in neither takes any well-formed version.
* Before a handler runs, arm.py has done: sign-in, throttling, api-version, RBAC, locks. After it: log and headers.
* Refusals are raised as ApiError(status, code, message).
* Long-running: `return operations.accept(call, "compute.deallocate", {...args})`, see operations.py.
* Absolute URLs (nextLink, Location): `call.url(path, query)`.
* Time: only `call.clock.now()`. New ids: only `call.world.new_id(seed)`.

Services other than Resource Manager (graph, login, vault, logs, blobs) are one coroutine `handle(call) -> Reply` each,
named in sandbox.py. They do their own sign-in (`call.bearer`, `call.tokens`), and set `call.caller` for the log of
requests. They may use `Router` for their paths.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sandbox.azure import ids, lenient_json, providers, rbac
from sandbox.azure.errors import ApiError
from sandbox.azure.world import Author

if TYPE_CHECKING:
    from sandbox.azure.clock import Clock
    from sandbox.azure.tokens import Tokens
    from sandbox.azure.world import World

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, from the claims of the token."""

    oid: str = ""
    upn: str = ""  # "" for applications
    appid: str = ""
    tenant: str = ""
    kind: str = ""  # User, ServicePrincipal or ManagedIdentity; "" when nobody has signed in
    claims: Json = field(default_factory=dict)
    ip: str = ""

    @classmethod
    def of(cls, claims: Json, ip: str) -> "Caller":
        """Read the claims of an access token. `ip` is where the call comes from."""
        app = claims.get("idtyp") == "app" or not (claims.get("upn") or claims.get("unique_name"))
        kind = "User" if not app else ("ManagedIdentity" if claims.get("xms_mirid") else "ServicePrincipal")
        upn = "" if app else str(claims.get("upn") or claims.get("unique_name"))
        oid, appid, tid = (str(claims.get(name, "")).lower() for name in ("oid", "appid", "tid"))
        return cls(oid, upn, appid, tid, kind, claims, ip)

    @property
    def name(self) -> str:
        """What the activity log calls him."""
        return self.upn or self.oid


@dataclass(slots=True)
class Reply:
    """An answer. A dict or list is sent as JSON, text as text/plain (or what `headers` say), None as nothing.

    Bytes are sent as they are.
    """

    status: int
    body: Json | list[Any] | str | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    operation: str = ""  # id of the long-running operation that goes on after this answer


@dataclass(frozen=True)
class Endpoints:
    """Base URLs, without a slash at the end."""

    arm: str = ""
    graph: str = ""
    login: str = ""
    vault: str = ""
    logs: str = ""
    blob: str = ""


@dataclass(slots=True)
class Call:
    """One request, and the world it is about."""

    world: "World"
    clock: "Clock"
    tokens: "Tokens"
    endpoints: Endpoints
    service: str
    method: str
    path: str  # decoded, as spelled by the caller, no slash at the end, no double slashes
    query: dict[str, str]  # names in lower case
    headers: Mapping[str, str]  # any case
    raw: bytes = b""
    caller: Caller = field(default_factory=Caller)
    params: dict[str, str] = field(default_factory=dict)  # from the template, as spelled by the caller
    action: str = ""
    guarded: bool = True
    role: str = ""  # the role that allowed it
    correlation: str = ""
    request: str = ""  # x-ms-request-id
    through: "Handler | None" = None  # Resource Manager itself, for calls that make others
    home: str = ""  # base URL of the vault or account by whose own host name it was called: no part of `path` there

    @property
    def version(self) -> str:
        return self.query.get("api-version", "")

    @property
    def resource_id(self) -> str:
        """The path: the id of the resource the call is about, unless it ends in a type or an action."""
        return self.path

    @property
    def parent(self) -> str:
        """The path without its last segment: the resource that a POST acts on, what a collection belongs to."""
        return self.path.rpartition("/")[0]

    @property
    def scope(self) -> str:
        """Where RBAC and locks apply: the resource, or what a collection or action belongs to."""
        parts = ids.parse(self.path)
        if parts.type == ids.GROUP and self.method == "POST":
            return self.parent
        if not parts.collection:
            return self.path
        return self.parent if parts.names else parts.scope

    @property
    def bearer(self) -> str:
        """The access token, or ""."""
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""

    @property
    def author(self) -> Author:
        kind = {"User": "User", "ManagedIdentity": "ManagedIdentity"}.get(self.caller.kind, "Application")
        return Author(self.caller.upn or self.caller.appid or self.caller.oid, kind, self.clock.now())

    @property
    def text(self) -> str:
        return self.raw.decode("utf-8-sig", errors="replace")

    @property
    def body(self) -> Any:
        """The JSON of the request; {} when empty. Raises ApiError 400 when it is none.

        To Resource Manager it is an object, and so are the properties in it.
        """
        if not self.raw.strip():
            return {}
        try:
            found = json.loads(self.raw)
        except ValueError:
            found = self._lenient()
        return _resource(found) if self.service == "arm" else found

    def _lenient(self) -> Any:
        try:
            return lenient_json.loads(self.text)
        except ValueError as error:
            message = f"The request content was invalid and could not be deserialized: '{error}'."
            raise ApiError(400, "InvalidRequestContent", message) from error

    def url(self, path: str = "", query: Mapping[str, str] | None = None) -> str:
        """An absolute URL on this service; the call's own path by default."""
        pairs = "&".join(f"{quote(k, safe='$')}={quote(v, safe='')}" for k, v in (query or {}).items())
        base: str = self.home or getattr(self.endpoints, self.service)
        path = path or self.path
        if self.home:
            path = "/" + path.split("/", 2)[2]
        return base + quote(path, safe="/:@!$&'()*+,;=~") + (f"?{pairs}" if pairs else "")

    def require(self, action: str, scope: str, *, data: bool = False) -> str:
        """The name of the role that allows an action (or data action) at a scope. Raises ApiError 403 if none does."""
        return rbac.require(self, action, scope, data=data)

    def allowed(self, action: str, scope: str, *, data: bool = False) -> bool:
        """Whether the caller may do an action at a scope."""
        return rbac.allowing_role(self, action, scope, data=data) is not None

    def sees(self, scope: str) -> bool:
        """Whether the caller has any role at, above or below a scope."""
        return rbac.sees(self, scope)


# What the envelope of every resource holds, where it is there at all.
_ENVELOPE: dict[str, type] = {"identity": dict, "location": str, "plan": dict, "properties": dict, "tags": dict}


def _resource(body: Any) -> Json:
    wrong = "the body is no JSON object" if not isinstance(body, dict) else ""
    for name, kind in _ENVELOPE.items() if not wrong else ():
        if body.get(name) is not None and not isinstance(body[name], kind):
            wrong = f"the value of '{name}' is of another type"
    if wrong:
        raise ApiError(400, "InvalidRequestContent", f"The request content was invalid: {wrong}.")
    null = {"properties"} if body.get("properties", "") is None else set()
    return {name: value for name, value in body.items() if name not in null}


Handler = Callable[[Call], Awaitable[Reply]]
_ANY = "*"  # any namespace, in the index


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that a room answers."""

    method: str
    template: str
    action: str
    guarded: bool  # RBAC asks for the action; otherwise the handler does, and the action is only what the log calls it
    handler: Handler
    pattern: re.Pattern[str]


class Room:
    """What one provider answers. `namespace` "" is Resource Manager itself."""

    def __init__(self, namespace: str, versions: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self.namespace = namespace
        self.versions = dict(versions or {})
        self.routes: list[Route] = []

    def on(self, method: str, template: str, action: str = "", *, guarded: bool = True) -> Callable[[Handler], Handler]:
        """Register the handler of a method and path template."""

        def register(handler: Handler) -> Handler:
            self.routes.append(Route(method, template, action, guarded, handler, _pattern(template)))
            return handler

        return register


class Router:
    """Finds the route of a request among all rooms. The first that was registered wins."""

    def __init__(self, rooms: tuple[Room, ...]) -> None:
        self.rooms = rooms
        self._index: dict[tuple[str, str, int], list[Route]] = {}
        for room in rooms:
            for route in room.routes:
                self._index.setdefault(_shape(route.method, route.template), []).append(route)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route for a path, with its parameters; None when no room knows it."""
        method, namespace, depth = _shape(method, path)
        for route in self._index.get((method, namespace, depth), []) + self._index.get((method, _ANY, depth), []):
            if match := route.pattern.fullmatch(path):
                return route, match.groupdict()
        return None

    def versions(self, kind: str) -> tuple[str, ...]:
        """The api-versions of a type ("Microsoft.Compute/disks") or of the nearest parent type; () if any will do."""
        namespace, _, rest = kind.lower().partition("/")
        for room in self.rooms:
            if room.namespace.lower() == namespace:
                known = {name.lower(): versions for name, versions in room.versions.items()}
                own = rest
                while own:
                    if own in known:
                        return known[own]
                    own = own.rpartition("/")[0]
        return providers.versions(kind)


def _pattern(template: str) -> re.Pattern[str]:
    def group(match: re.Match[str]) -> str:
        # A scope ends where "/providers/…" begins, so it may be empty: the root.
        return "(?P<scope>(?:/.*)?)" if match[1] == "scope" else f"(?P<{match[1]}>[^/]+)"

    template = template.replace("/{scope}", "{scope}")  # the scope brings its own slash
    parts = re.split(r"(\{\w+\})", template)
    text = "".join(re.sub(r"\{(\w+)\}", group, p) if p.startswith("{") else re.escape(p) for p in parts)
    return re.compile(text, re.IGNORECASE)


def _shape(method: str, path: str) -> tuple[str, str, int]:
    """Method, last provider and number of segments after it: what a path and its template have in common."""
    _, found, tail = path.lower().rpartition("/providers/")
    if found:
        namespace = tail.partition("/")[0]
        return method, _ANY if namespace.startswith("{") else namespace, tail.count("/")
    return method, "", path.count("/")
