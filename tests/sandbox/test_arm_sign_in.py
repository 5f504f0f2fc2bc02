from datetime import timedelta

from tests.sandbox.arm import MALLORY, NOW, OTHER, TECH, S, arm

GROUPS = f"{S}/resourceGroups"


async def test_no_token_is_refused_with_a_challenge() -> None:
    async with arm() as call:
        answer = await call("GET", GROUPS, token="")
        assert (answer.status, answer.code) == (401, "AuthenticationFailed")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


async def test_a_forged_token_is_refused() -> None:
    async with arm() as call:
        token = call.azure.token(MALLORY, "arm")
        answer = await call("GET", GROUPS, token=token[:-6] + "AAAAAA")
        assert (answer.status, answer.code) == (401, "InvalidAuthenticationToken")


async def test_a_token_for_another_audience_is_refused() -> None:
    async with arm() as call:
        answer = await call("GET", GROUPS, token=call.azure.token(MALLORY, "graph"))
        assert (answer.status, answer.code) == (401, "InvalidAuthenticationToken")


async def test_an_expired_token_is_refused() -> None:
    async with arm() as call:
        token = call.azure.token(MALLORY, "arm", lifetime=timedelta(hours=-1))
        answer = await call("GET", GROUPS, token=token)
        assert (answer.status, answer.code) == (401, "ExpiredAuthenticationToken")


async def test_a_disabled_users_token_stops_working_at_once() -> None:
    async with arm() as call:
        token, directory = call.azure.token(MALLORY, "arm"), call.azure.world.directory
        assert (await call("GET", GROUPS, token=token)).status == 200
        user = directory.find(MALLORY)
        assert user
        directory.put({**user, "accountEnabled": False})
        answer = await call("GET", GROUPS, token=token)
        assert answer.status == 401
        assert 'error="insufficient_claims"' in answer.headers["WWW-Authenticate"]


async def test_revoked_sessions_end_old_tokens_and_not_new_ones() -> None:
    async with arm() as call:
        token = call.azure.token(MALLORY, "arm")
        call.azure.world.directory.revoke_sessions(call.oid(MALLORY), NOW)
        assert (await call("GET", GROUPS, token=token)).status == 401
        assert (await call("GET", GROUPS, who=MALLORY)).status == 200


async def test_somebody_of_another_tenant_is_told_that_the_issuer_is_wrong() -> None:
    async with arm() as call:
        answer = await call("GET", GROUPS, who=TECH)
        assert (answer.status, answer.code) == (401, "InvalidAuthenticationTokenTenant")


async def test_an_unknown_subscription_is_not_found() -> None:
    async with arm() as call:
        answer = await call("GET", "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups")
        assert (answer.status, answer.code) == (404, "SubscriptionNotFound")


async def test_every_answer_carries_resource_managers_headers() -> None:
    async with arm() as call:
        for answer in (await call("GET", GROUPS), await call("GET", GROUPS, token="")):
            for name in ("x-ms-request-id", "x-ms-correlation-request-id", "x-ms-routing-request-id", "Date"):
                assert answer.headers[name]


async def test_requests_are_kept_with_their_caller_and_status() -> None:
    async with arm() as call:
        await call("GET", f"/subscriptions/{OTHER}/resourceGroups", who=MALLORY)
        (request,) = call.azure.requests
        assert (request.service, request.method, request.status) == ("arm", "GET", 403)
        assert (request.caller, request.at) == (call.oid(MALLORY), NOW)
        assert "api-version=" in request.query


async def test_the_cloud_describes_itself_to_anybody_in_the_shape_of_the_version() -> None:
    async with arm() as call:
        ends = call.azure.endpoints
        new = (await call("GET", "/metadata/endpoints", token="", version="2022-09-01")).body
        assert (new["resourceManager"], new["microsoftGraphResourceId"]) == (ends.arm, ends.graph)
        (listed,) = (await call("GET", "/metadata/endpoints", token="", version="2019-05-01")).body
        assert listed["authentication"]["loginEndpoint"] == ends.login
        old = (await call("GET", "/metadata/endpoints", token="", version="2015-01-01")).body
        assert (old["graphEndpoint"], old["authentication"]["audiences"]) == (ends.graph, [ends.arm])
