"""What the deployment lets run unasked stops whoever the alert names before the log is read."""

from pathlib import Path

from tests.api.responder import DISABLE, responder

LOG = "microsoft.insights/eventtypes/management/values"


async def test_a_suspect_is_stopped_while_the_log_can_not_be_read(tmp_path: Path) -> None:
    async with responder(tmp_path, {"COUNTERSIGN_GATES": f"{DISABLE}=auto"}) as its:
        incident = await its.delivered(its.raised(its.account("mallory")))
        its.sandbox.faults.on("GET", LOG, "unavailable", times=1000)
        await its.answered(incident, expected=False)

        mallory = its.sandbox.world.directory.objects[its.scene.who("mallory@contoso.example")]
        assert mallory["accountEnabled"] is False
        step = await its.step(incident, DISABLE)
        assert (step["state"], [change["status"] for change in step["changes"]]) == ("auto", ["done"])
        its.sandbox.faults.clear()


async def test_nobody_is_stopped_unasked_unless_the_deployment_says_so(tmp_path: Path) -> None:
    async with responder(tmp_path, {}) as its:
        incident = await its.responding(its.raised(its.account("mallory")))

        mallory = its.sandbox.world.directory.objects[its.scene.who("mallory@contoso.example")]
        assert mallory["accountEnabled"] is True
        assert (await its.step(incident, DISABLE))["state"] == "waiting"
