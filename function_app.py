"""Triggers and bindings. No decision is made here."""

from typing import Any

import azure.durable_functions as df
import azure.functions as func

from playbooks import activities, heartbeat, retention, versions
from playbooks.durable import Durable
from responders import intake
from responders.services import now, services
from responders.web import api, question
from responders.web.http import respond, respond_page

# App Service authentication stands in front of all HTTP routes and tells who calls, which function keys could not.
app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.event_grid_trigger(arg_name="event")
@app.durable_client_input(client_name="client")
async def on_event(event: func.EventGridEvent, client: Any) -> None:
    """An alert that a forwarder published to our topic."""
    await intake.take_event(event.get_json(), services(), Durable(client))


@app.route("alerts", methods=["POST"])
@app.durable_client_input(client_name="client")
async def alerts(req: func.HttpRequest, client: Any) -> func.HttpResponse:
    """An alert from a Logic App, or by hand."""
    return await respond(req, lambda who, its: api.alerts(req.get_body(), who, its, Durable(client)))


@app.route("incidents", methods=["GET"])
async def incidents(req: func.HttpRequest) -> func.HttpResponse:
    """All incidents."""
    return await respond(req, api.listing)


@app.route("incidents/{id}", methods=["GET"])
async def incident_by_id(req: func.HttpRequest) -> func.HttpResponse:
    """One incident."""
    return await respond(req, lambda who, its: api.show(_id(req), who, its))


@app.route("incidents/{id}/answer", methods=["POST"])
@app.durable_client_input(client_name="client")
async def answer(req: func.HttpRequest, client: Any) -> func.HttpResponse:
    """The owner's answer."""
    return await respond(req, lambda who, its: api.answer(_id(req), req.get_body(), who, its, Durable(client)))


@app.route("incidents/{id}/question", methods=["GET"])
async def question_page(req: func.HttpRequest) -> func.HttpResponse:
    """The page that a mail to an owner leads to."""
    token = req.params.get("token", "")
    return await respond_page(req, lambda who, its: question.show(_id(req), token, who, its))


@app.route("incidents/{id}/question", methods=["POST"])
@app.durable_client_input(client_name="client")
async def answer_by_page(req: func.HttpRequest, client: Any) -> func.HttpResponse:
    """The owner's answer, by that page."""
    given = req.get_body()
    return await respond_page(req, lambda who, its: question.answer(_id(req), given, who, its, Durable(client)))


@app.route("incidents/{id}/approvals", methods=["POST"])
@app.durable_client_input(client_name="client")
async def approvals(req: func.HttpRequest, client: Any) -> func.HttpResponse:
    """An approver's countersignature."""
    return await respond(req, lambda who, its: api.approve(_id(req), req.get_body(), who, its, Durable(client)))


@app.route("incidents/{id}/rerun", methods=["POST"])
@app.durable_client_input(client_name="client")
async def rerun(req: func.HttpRequest, client: Any) -> func.HttpResponse:
    """A closed incident, once more."""
    return await respond(req, lambda who, its: api.rerun(_id(req), req.get_body(), who, its, Durable(client)))


@app.route("incidents/{id}/undo", methods=["POST"])
@app.durable_client_input(client_name="client")
async def undo_by_id(req: func.HttpRequest, client: Any) -> func.HttpResponse:
    """What a closed incident changed, put back."""
    return await respond(req, lambda who, its: api.undo(_id(req), req.get_body(), who, its, Durable(client)))


@app.timer_trigger(arg_name="timer", schedule="0 17 * * * *")
async def beat(timer: func.TimerRequest) -> None:  # noqa: ARG001  a binding
    """Every hour: whether the last sample alerts have arrived; once a day, new ones."""
    await heartbeat.tick(services(), now())


@app.timer_trigger(arg_name="timer", schedule="0 41 2 * * *")
@app.durable_client_input(client_name="client")
async def purge_runs(timer: func.TimerRequest, client: Any) -> None:  # noqa: ARG001  a binding
    """Every night: what the engine still holds of runs that ended long ago."""
    await retention.purge(services(), Durable(client), now())


def _id(req: func.HttpRequest) -> str:
    return str(req.route_params["id"])


for orchestrator in (versions.incident, versions.playbook, versions.undo):
    app.orchestration_trigger(context_name="context")(orchestrator)


def activity(work: activities.Activity) -> None:
    """Register one activity under its own name."""

    # Any, since the worker takes no generic alias for the type of a binding: with dict[str, Any] the app does not load.
    async def perform(order: Any) -> dict[str, Any]:
        return await activities.run(work, order)

    perform.__name__ = work.__name__
    app.activity_trigger(input_name="order")(perform)


for work in activities.ACTIVITIES:
    activity(work)
