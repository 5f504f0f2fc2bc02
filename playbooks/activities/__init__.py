"""What the workflow needs from outside, an activity each: plain JSON in, plain JSON out, safe to run twice.

Temporary is raised, and the engine retries; Permanent is returned as {"failed": sentence} and never retried.
"""

from collections.abc import Awaitable, Callable

from playbooks.activities import response, signing, steps, undoing
from responders.azure import explained
from responders.errors import Permanent
from responders.model import Json
from responders.services import Services, services

Activity = Callable[[Json, Services], Awaitable[Json]]

ACTIVITIES: tuple[Activity, ...] = (
    response.examine,
    response.ask,
    response.hear,
    response.contain,
    response.investigate,
    response.close,
    response.record_failure,
    steps.plan,
    steps.decide,
    steps.apply,
    steps.verify,
    signing.account,
    undoing.plan_undo,
    undoing.undo_changes,
    undoing.close_undo,
)


async def run(activity: Activity, order: Json) -> Json:
    """Run one activity in this worker. A setting that is wrong is raised: when it is put right, the run goes on."""
    its = services()
    try:
        with explained(activity.__name__.replace("_", " ")):
            return await activity(order, its)
    except Permanent as error:
        return {"failed": str(error)}
