"""Tell a person that something waits for him (Microsoft Graph sendMail). The mail decides nothing; the API does."""

from typing import TYPE_CHECKING

from responders.azure import segment

if TYPE_CHECKING:
    from collections.abc import Collection

    from responders.azure import Azure
    from responders.settings import Settings

PERMISSIONS = ("Mail.Send",)


async def mail(azure: "Azure", settings: "Settings", to: "Collection[str]", subject: str, text: str) -> str:
    """Send a plain-text mail from the mailbox of the settings. Returns what was done, for the journal."""
    if not to:
        return "nobody to tell"
    if not settings.mail_from:
        return f"not mailed to {', '.join(sorted(to))}: COUNTERSIGN_MAIL_FROM is not set"
    message = {
        "subject": subject[:200],
        "body": {"contentType": "Text", "content": text},
        "toRecipients": [{"emailAddress": {"address": address}} for address in sorted(to)],
    }
    await azure.graph("POST", f"/users/{segment(settings.mail_from)}/sendMail", body={"message": message})
    return f"mailed to {', '.join(sorted(to))}"
