"""The responder's API, as the command line uses it."""

import asyncio
import os
import sys
from typing import Any

from playbooks.terminal import shown
from responders.errors import Permanent, Temporary
from responders.model import Json

_POLL = 2.0  # seconds between two looks at an incident


class Api:
    """A deployed responder, at COUNTERSIGN_URL."""

    def __init__(self) -> None:
        self._url = os.environ.get("COUNTERSIGN_URL", "").rstrip("/")
        self._token = os.environ.get("COUNTERSIGN_TOKEN", "")
        if not self._url or not self._token:
            raise Permanent("Set COUNTERSIGN_URL to the responder's address and COUNTERSIGN_TOKEN to a token for it.")

    async def ask(self, method: str, path: str, body: bytes | None = None, json: Json | None = None) -> Any:
        """One request; a refusal is raised with the responder's own words."""
        import aiohttp

        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with (
                aiohttp.ClientSession(headers=headers) as session,
                session.request(method, f"{self._url}/api/{path}", data=body, json=json) as answer,
            ):
                said = await answer.json(content_type=None)
                if answer.status >= 400:  # noqa: PLR2004
                    raise Permanent(f"The responder answered {answer.status}: {(said or {}).get('detail', '')}")
                return said
        except aiohttp.ClientError as error:
            raise Temporary(f"The responder at {self._url} can't be reached: {error}") from error


async def run(payload: bytes) -> int:
    """Hand an alert over and follow its incidents to their end."""
    api = Api()
    taken = (await api.ask("POST", "alerts", body=payload))["incidents"]
    ended = [await _follow(api, item["incident"]) for item in taken if item["incident"]]
    for item in taken:
        if not item["incident"]:
            print(f"Ignored: {item['reason']}")
    return 0 if ended and all(ended) else 1


async def undo(incident: str, reason: str) -> int:
    """Ask for an undo and follow it."""
    api = Api()
    await api.ask("POST", f"incidents/{incident}/undo", json={"reason": reason})
    return 0 if await _follow(api, incident) else 1


async def _follow(api: Api, incident: str) -> bool:
    """Print what happens as it happens. True when the incident came to its end."""
    seen: set[str] = set()
    while True:
        now = await api.ask("GET", f"incidents/{incident}")
        for line in _lines(now):
            if line not in seen:
                seen.add(line)
                print(shown(line))
        if now["status"] == "closed":
            return now["result"] in {"dismissed", "resolved", "joined", "sample"}
        sys.stdout.flush()
        await asyncio.sleep(_POLL)


def _lines(now: Json) -> list[str]:
    lines = [f"{now['incident']}  {now['alert']['title']}"]
    question = now.get("question")
    if question:
        lines.append(f"asked {', '.join(question['owners']) or 'nobody'}: {question['text']}")
        lines += [f"answered: {question['answer']}"] if question.get("answer") else []
    lines += [
        f"gate {g['gate']}: {g['action']} waits for {g['needs']} approval(s), digest {g['digest']}"
        for g in now["gates"]
        if g["state"] == "open"
    ]
    lines += [
        f"{change['summary']}: {change['status']}"
        for step in now["steps"]
        for change in step["changes"]
        if change.get("status")
    ]
    lines += [f"closed: {now['result']} {now['reason']}".rstrip()] if now["status"] == "closed" else []
    return lines
