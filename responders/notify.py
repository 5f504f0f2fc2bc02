"""Tell people that something waits for them: a person by mail (Microsoft Graph), a channel by Apprise.

What is told decides nothing, and that it could not be told stops nothing: each function says what came of it.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from responders.azure import explained, segment
from responders.errors import Permanent

if TYPE_CHECKING:
    from collections.abc import Collection

    import apprise

    from responders.azure import Azure
    from responders.settings import Settings

PERMISSIONS = ("Mail.Send",)
PATIENCE = 20.0  # seconds for a channel


async def mail(azure: "Azure", settings: "Settings", to: "Collection[str]", subject: str, text: str) -> str:
    """Send a plain-text mail from the mailbox of the settings. Returns what came of it, for the journal."""
    if not to:
        return "nobody to tell"
    names = ", ".join(sorted(to))
    if not settings.mail_from:
        return f"not mailed to {names}: COUNTERSIGN_MAIL_FROM is not set"
    message = {
        "subject": subject[:200],
        "body": {"contentType": "Text", "content": text},
        "toRecipients": [{"emailAddress": {"address": address}} for address in sorted(to)],
    }
    try:
        with explained("sending mail"):
            await azure.graph("POST", f"/users/{segment(settings.mail_from)}/sendMail", body={"message": message})
    except Permanent as error:
        return f"not mailed to {names}: {error}"
    return f"mailed to {names}"


async def channels(settings: "Settings", subject: str, text: str, patience: float = PATIENCE) -> str:
    """Tell every channel of the settings, all at once, and none for longer than `patience` seconds.

    Returns what came of it, "" where there is no channel. The URLs are secrets: channels are told apart by number.
    """
    urls = settings.channels.split()
    if not urls:
        return ""
    plugins = await asyncio.to_thread(_plugins, urls)
    told = await asyncio.gather(*(_tell(n, p, subject, text, patience) for n, p in enumerate(plugins, start=1)))
    return "; ".join(told)


def _plugins(urls: list[str]) -> "list[apprise.NotifyBase | None]":
    """One for each URL; None for one that Apprise can't use. In a thread: the first takes a second of loading."""
    import apprise

    # What they log holds addresses whose path is the secret.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    asset = apprise.AppriseAsset(app_id="Countersign", app_desc="Countersign", app_url="", secure_logging=True)
    return [apprise.Apprise.instantiate(url, asset=asset) for url in urls]


async def _tell(n: int, plugin: "apprise.NotifyBase | None", subject: str, text: str, patience: float) -> str:
    import apprise

    if plugin is None:
        return f"channel {n} not told: Apprise does not understand its URL"
    name = f"channel {n} ({plugin.service_name})"
    one = apprise.Apprise()
    one.add(plugin)
    try:
        call = one.async_notify(body=text, title=subject[:200], body_format=apprise.NotifyFormat.TEXT)
        done = await asyncio.wait_for(call, patience)
    except TimeoutError:
        return f"{name} not told: no answer within {patience:g} s"
    return f"{name} told" if done else f"{name} not told: it refused, or can't be reached"
