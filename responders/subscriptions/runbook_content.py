"""The scripts of a runbook, written step by step: Azure takes them in after it has answered."""

from typing import TYPE_CHECKING

from responders.errors import Temporary
from responders.subscriptions.automation import ACCOUNT

if TYPE_CHECKING:
    from responders.subscriptions.automation import Account

PERMISSIONS = (
    f"{ACCOUNT}/runbooks/*/read",  # of what is published, and of drafts: the list of operations has no name for those
    f"{ACCOUNT}/runbooks/draft/content/write",
    f"{ACCOUNT}/runbooks/publish/action",
)


async def put(account: "Account", name: str, content: str | None, draft: str | None) -> bool:
    """Bring what is published, and then the draft, to these scripts, where they are given.

    False when it is so already. Raises Temporary while Azure takes one in: the next call goes on from there.
    """
    changed = False
    if content is not None and await account.content(name) != content:
        changed = True
        await _write(account, name, content)
        await account.client.runbook.begin_publish(account.group, account.name, name, polling=False)
        if await account.content(name) != content:
            raise Temporary(f"The runbook {name} is not published yet.")
    if draft is not None and await account.draft(name) != draft:
        changed = True
        await _write(account, name, draft)
    return changed


async def _write(account: "Account", name: str, script: str) -> None:
    """Write the draft. Publishing before Azure has taken it in would publish something else."""
    if await account.draft(name) == script:
        return
    draft = account.client.runbook_draft
    await draft.begin_replace_content(account.group, account.name, name, script.encode(), polling=False)
    if await account.draft(name) != script:
        raise Temporary(f"The draft of the runbook {name} is not taken in yet.")
