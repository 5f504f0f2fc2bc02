"""Resource Manager's front door: sign-in, throttling, api-version, RBAC, locks, the room; then the activity log."""

import re
from base64 import b64encode
from typing import Any

from sandbox.azure import (
    activity_log,
    authorization,
    automation,
    automation_jobs,
    backup,
    changes,
    clouds,
    compute,
    delegations,
    deployments,
    groups,
    handed_out,
    identities,
    ids,
    insights,
    keys,
    locks,
    logic,
    management_groups,
    network,
    network_addresses,
    operations,
    pim,
    pim_policies,
    pim_requests,
    policies,
    recovery,
    resource_graph,
    resources,
    role_definitions,
    security,
    storage,
    subscriptions,
    templates,
    ways_in,
    web_keys,
)
from sandbox.azure.errors import ApiError, bad_request, group_not_found, not_built, subscription_not_found
from sandbox.azure.router import Call, Caller, Handler, Reply, Router
from sandbox.azure.throttle import Throttle
from sandbox.azure.tokens import Invalid

Json = dict[str, Any]

# One line a room. The first that routes a path wins.
ROOMS = (
    subscriptions.room,
    groups.room,
    templates.room,
    deployments.room,
    management_groups.room,
    resources.room,
    authorization.room,
    role_definitions.room,
    pim.room,
    pim_requests.room,
    pim_policies.room,
    policies.room,
    locks.room,
    delegations.room,
    ways_in.just_in_time,
    ways_in.consoles,
    security.room,
    insights.room,
    resource_graph.room,
    recovery.vaults,
    recovery.accounts,
    storage.room,
    *keys.rooms,
    *handed_out.rooms,
    web_keys.room,
    logic.room,
    identities.room,
    automation.room,
    compute.room,
    network.room,
    network_addresses.room,
    backup.room,
)
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-\w+)?")
_LOGGED = re.compile(r".*/(write|delete|action)", re.IGNORECASE)


class Arm:
    """The service at https://management.azure.com."""

    def __init__(self, throttle: Throttle) -> None:
        self.throttle = throttle
        self.router = Router(ROOMS)

    async def handle(self, call: Call) -> Reply:
        """Answer one request, whatever happens: refusals become error bodies."""
        new_id = call.world.new_id
        call.request, call.correlation = new_id("request"), call.headers.get("x-ms-correlation-request-id") or new_id()
        limits: dict[str, str] = {}
        try:
            open_ = _OPEN.get((call.method, call.path.lower()))
            if open_ is None:
                sign_in(call)
            operations.settle(call.world, call.clock)
            pim.settle(call.world, call.clock)
            subscription = ids.parse(call.path).subscription.lower()
            limits = self.throttle.take(subscription, call.caller.oid, call.method, call.clock.now())
            reply = await (open_ or self._answer)(call)
        except ApiError as error:
            reply = Reply(error.status, error.body(), error.headers)
        moment = call.clock.now().strftime("%Y%m%dT%H%M%SZ")
        reply.headers = {
            **limits,
            "Cache-Control": "no-cache",
            "Pragma": "no-cache",
            "x-ms-request-id": call.request,
            "x-ms-correlation-request-id": call.correlation,
            "x-ms-routing-request-id": f"SANDBOX:{moment}:{call.request}",
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
            "X-Content-Type-Options": "nosniff",
        } | reply.headers
        return reply

    async def _answer(self, call: Call) -> Reply:
        call.through = self._answer
        self._check_subscription(call)
        if operation := operations.find(call):
            subscription = ids.parse(call.path).subscription
            call.require(operations.action(call.parent), f"/subscriptions/{subscription}" if subscription else "/")
            if not (made := operations.written(call, operation)) or made not in call.world:
                return operations.poll(call, operation)
            call.path = made
        handler = self._route(call)
        if handler is None:
            raise not_built(call.method, call.path, call.version)
        self._check_version(call)
        logged = bool(_LOGGED.fullmatch(call.action))
        if not logged:
            return await self._run(call, handler)
        return await self._run_logged(call, handler)

    async def _run(self, call: Call, handler: Handler) -> Reply:
        if call.guarded:
            call.role = call.require(call.action, call.scope)
        self._check_group(call)
        locks.check(call)
        # Only lists lag: what is read by its own id is gone.
        if call.method != "GET" or all(ids.within(call.path, ghost) for ghost in call.world.ghosts):
            return await handler(call)
        with call.world.lagging() as shown:
            reply = await handler(call)
            if isinstance(reply.body, dict) and isinstance(reply.body.get("value"), list):
                shown |= {str(entry["id"]).lower() for entry in reply.body["value"] if "id" in entry}
            return reply

    async def _run_logged(self, call: Call, handler: Handler) -> Reply:
        """Run a write, a delete or an action; the log gets its beginning and its end, whatever that is."""
        first = activity_log.started(call)
        try:
            with changes.written(call.world, first, call.clock.now()):
                reply = await self._run(call, handler)
        except ApiError as error:
            activity_log.record(call, first, "Started")
            activity_log.record(call, activity_log.template(call), "Failed", error.status, error.body())
            raise
        event = activity_log.template(call)
        # The role that allowed it is known only by now.
        activity_log.record(call, {**first, "authorization": event["authorization"]}, "Started")
        if reply.operation:
            activity_log.record(call, event, "Accepted", reply.status)
            later = {k: v for k, v in event.items() if k != "httpRequest"}
            call.world.operations[reply.operation]["event"] = later
        elif reply.status < 400:  # noqa: PLR2004
            activity_log.record(call, event, "Succeeded", reply.status, answer=reply.body)
        else:
            activity_log.record(call, event, "Failed", reply.status, reply.body)
        return reply

    def _route(self, call: Call) -> Handler | None:
        found = self.router.find(call.method, call.path)
        if found:
            route, call.params = found
            call.action, call.guarded = route.action, route.guarded and bool(route.action)
            return route.handler
        return resources.generic(call)

    def _check_version(self, call: Call) -> None:
        if not call.version:
            message = "The api-version query parameter (?api-version=) is required for all requests."
            raise bad_request("MissingApiVersionParameter", message)
        if not _VERSION.fullmatch(call.version):
            message = (
                f"The api-version '{call.version}' is invalid. The supported versions are of the form 'YYYY-MM-DD'."
            )
            raise bad_request("InvalidApiVersionParameter", message)
        kind = ids.parse(call.path).type if "/providers/" in call.path.lower() else ""
        known = self.router.versions(kind)
        if known and call.version.lower() not in {v.lower() for v in known}:
            namespace, _, name = kind.partition("/")
            message = (
                f"No registered resource provider found for location '' and API version '{call.version}' for type "
                f"'{name}' in namespace '{namespace}'. The supported api-versions are '{', '.join(known)}'."
            )
            raise bad_request("NoRegisteredProviderFound", message)

    @staticmethod
    def _check_subscription(call: Call) -> None:
        subscription = ids.parse(call.path).subscription
        if not subscription:
            return
        entry = call.world.get(f"/subscriptions/{subscription}")
        if entry is None:
            raise subscription_not_found(subscription)
        home = str(entry.body.get("tenantId") or call.world.tenant).lower()
        # Somebody from elsewhere gets past this only by a delegation (Lighthouse).
        if call.caller.tenant != home and not call.sees(entry.id):
            issuer = f"https://sts.windows.net/{call.caller.tenant}/"
            message = (
                f"The access token is from the wrong issuer '{issuer}'. It must match the tenant "
                f"'https://sts.windows.net/{home}/' associated with this subscription. Please use the authority (URL) "
                f"'https://login.windows.net/{home}' to get the token."
            )
            challenge = f'Bearer authorization_uri="{call.endpoints.login}/{home}", error="invalid_token"'
            raise ApiError(401, "InvalidAuthenticationTokenTenant", message, headers={"WWW-Authenticate": challenge})

    @staticmethod
    def _check_group(call: Call) -> None:
        parts = ids.parse(call.path)
        own = parts.type.lower() == "microsoft.resources/subscriptions/resourcegroups"
        # A delete of what can't be there is done already: its handler says so.
        if parts.group and not own and call.method != "DELETE":
            group = f"/subscriptions/{parts.subscription}/resourceGroups/{parts.group}"
            if group not in call.world:
                raise group_not_found(parts.group)


# What takes no token. The URI of an Automation webhook is itself the credential.
_OPEN: dict[tuple[str, str], Handler] = {
    ("GET", "/metadata/endpoints"): clouds.answer,
    ("POST", "/webhooks"): automation_jobs.invoke,
}


def sign_in(call: Call) -> None:
    """Set the caller from the bearer token. Raises ApiError 401 with a challenge."""
    authority = f"{call.endpoints.login}/{call.world.tenant}"
    challenge = f'Bearer authorization_uri="{authority}", error="invalid_token", error_description="%s"'

    def refused(code: str, message: str) -> ApiError:
        return ApiError(401, code, message, headers={"WWW-Authenticate": challenge % message})

    if not call.bearer:
        raise refused("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    try:
        claims = call.tokens.verify(call.bearer, "arm")
    except Invalid as error:
        code = "ExpiredAuthenticationToken" if error.expired else "InvalidAuthenticationToken"
        raise refused(code, str(error)) from error
    if reason := call.world.directory.usable(claims):
        # Continuous access evaluation: the SDK asks for a new token with these claims, once.
        wanted = b64encode(b'{"access_token":{"nbf":{"essential":true,"value":"0"}}}').decode()
        answer = f'Bearer authorization_uri="{authority}", error="insufficient_claims", claims="{wanted}"'
        message = f"Continuous access evaluation resulted in challenge with result: InteractionRequired: {reason}."
        raise ApiError(401, "InvalidAuthenticationToken", message, headers={"WWW-Authenticate": answer})
    forwarded = call.headers.get("X-Forwarded-For", "").partition(",")[0].strip()
    call.caller = Caller.of(claims, forwarded or str(claims.get("ipaddr", "127.0.0.1")))
