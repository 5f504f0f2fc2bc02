import asyncio
import hashlib
import re
import secrets
import string
from typing import TYPE_CHECKING

from responders.errors import Permanent, Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes
from responders.vms import accounts, commands, locked, machine, snapshots

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject
    from responders.vms.accounts import Accounts
    from responders.vms.machine import Machine

_LENGTH = 32
# Without what looks alike or means something to a shell, a colon or a list: somebody may have to read it out.
_ALPHABETS = ("abcdefghijkmnopqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZ", "23456789", "-_.")
_TAG = 256  # characters of a tag's value
_LASTING = "The old passwords are gone for good: nobody knows them. What was removed is in the snapshots of the disks."


class ResetPasswords:
    """Give every local account of a machine that a password opens another one, and take away what was put there.

    The accounts are those that vms.list_accounts found. Each gets a long random password of its own, which is in the
    Key Vault, by machine and account, before it is set, and else nowhere: it goes to the machine as a protected
    parameter of a managed run command, in it by a pipe, and into no command line, script, output or log. Locked
    accounts stay locked. Accounts and SSH keys that were made after the suspect came are taken away, each by a change
    of its own; those of which that is not clear are offered by name. The run command is removed when it is over. A
    secret without a password in it, the receipt, then says so. Accounts of a domain are the directory's.

    Where no run command can be run there is no other way: the VMAccess extension is no fallback. It takes the same
    agent (a managed run command is itself an extension, Microsoft.CPlat.Core.RunCommandHandler…) and the same
    osProfile.allowExtensionOperations. It sets the password of one account, of whose being there nobody can then
    know: it makes one that is not there, makes it an administrator, lets passwords in by SSH, and leaves the keys
    and the other accounts of the intruder. That is left to a person, with these words; a machine like that is
    better rebuilt.
    """

    id = "vms.reset_passwords"
    permissions = (
        *machine.PERMISSIONS,
        snapshots.READ,
        *commands.RIGHTS,
        *locked.PERMISSIONS,
        "Microsoft.KeyVault/vaults/secrets/setSecret/action",
        "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    )
    reversible = False
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        vm = await machine.to_clean(case, subject.id, azure)
        if isinstance(vm, str):
            return Plan(action=self.id, subject=subject, reason=vm)
        why = "" if azure.settings.vault else "COUNTERSIGN_VAULT is not set. "
        why = why or vm.hindrance("scripts") or await snapshots.missing(azure, case.incident, vm)
        listed = None
        if not why:
            known = await commands.read(azure, f"{vm.id}/runCommands/{accounts.listing(case, vm)}")
            listed = accounts.parsed(commands.view(known), vm.system) if known else None
            why = (
                f"They are not known: {listed.broken}."
                if listed and listed.broken
                else ""
                if listed
                else "They were not listed: approve vms.list_accounts first."
            )
        if listed is None or why:
            left = (" ".join(filter(None, (f"The passwords in {vm.name} are as they were.", why, _by_hand(vm)))),)
            return Plan(action=self.id, subject=subject, reason="They can't be changed now.", by_hand=left)
        if listed.controller:
            reason = f"{vm.name} is a domain controller: it has no accounts of its own."
            todo = f"{reason} Change the passwords of the domain's accounts, krbtgt twice (a Domain Admin)."
            return Plan(action=self.id, subject=subject, reason=reason, by_hand=(todo,))
        found, kept = _changes(case, subject, vm, listed)
        changes = tuple([await locked.through(azure, case, change, deletes=(_command(change),)) for change in found])
        odd = tuple(f"The account '{name}' of {vm.name} has no plain name: look at it by hand." for name in listed.odd)
        reason = "" if changes else f"No password opens {vm.name}."
        return Plan(action=self.id, subject=subject, changes=changes, reason=reason, kept=kept, by_hand=odd)

    @locked.lifting
    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        vm = await machine.read(azure, change.before["machine"])
        if vm is None:
            return Outcome(status="already_so", reason="The machine is gone.")
        if vm.vm_id != change.before["vmId"]:
            return Outcome(status="drifted", reason="Another machine has its name now.")
        if await azure.secret_versions(_receipt(change)) or await commands.read(azure, _command(change)) is not None:
            return Outcome(status="already_so", reason="It was done, or is under way.")
        if why := vm.hindrance("scripts") or await snapshots.missing(azure, change.before["incident"], vm):
            return Outcome(status="failed", reason=why)
        return await self._begin(change, azure, vm)

    @staticmethod
    async def _begin(change: Change, azure: "Azure", vm: "Machine") -> Outcome:
        name = _command(change).rpartition("/")[2]
        if change.before["kind"] != "passwords":
            given = {"NAME": change.before["name"], "KEY": change.before["key"] or "-"}
            await commands.start(azure, vm, name, accounts.text_of("remove_account", vm.system), 1, given=given)
            return Outcome(status="done")
        # First the vault, all of them: whatever is lost on the way, what is set is what the vault had last. While the
        # run command is there, nothing new goes into the vault.
        new = {user: _password() for user in change.before["users"]}
        await asyncio.gather(*(_keep(azure, change, vm, user, word) for user, word in new.items()))
        pairs = ";".join(f"{user}:{word}" for user, word in new.items())
        text = accounts.text_of("set_passwords", vm.system)
        await commands.start(azure, vm, name, text, 1, secret={"PAIRS": pairs})
        return Outcome(status="done", after={"users": list(new)})

    @locked.lifting
    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        id_ = _command(change)
        known = await commands.read(azure, id_)
        if await azure.secret_versions(_receipt(change)):
            if known is not None:
                await _remove(azure, id_)
            return Outcome(status="done", after=_after(change))
        if known is None:
            if await machine.read(azure, change.before["machine"]) is None:
                return Outcome(status="done", reason="The machine is gone.")
            raise Temporary(f"{id_} does not show yet.")
        if not commands.over(known):
            raise Temporary(f"{id_} is running.")
        wrong, notes = _read(change, commands.view(known), "Windows" if change.before["windows"] else "Linux")
        if wrong:
            await commands.delete(azure, id_)
            raise Permanent(f"{change.summary}: {wrong}")
        said = f"{change.summary}: {notes or 'done'}. {change.id}"
        await azure.keep_secret(_receipt(change), said, {"incident": change.before["incident"], "change": change.id})
        await _remove(azure, id_)
        return Outcome(status="done", reason=notes, after=_after(change))

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return Outcome(status="failed", reason=change.lasting)


def _changes(
    case: "Case", subject: "Subject", vm: "Machine", listed: "Accounts"
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """The passwords, then what was put there; and what is kept."""
    base: Json = {"machine": vm.id, "vmId": vm.vm_id, "incident": case.incident, "windows": vm.system == "Windows"}
    users = [account.name for account in listed.accounts]
    found, kept = [], list[str]()
    if listed.domain:
        kept.append(f"{vm.name} is joined to the domain {ascii(listed.domain)[1:-1]}: its accounts are the directory's")
    if listed.settled:
        kept.append(f"{len(listed.settled)} SSH key(s) in {vm.name} in files that were not changed in the window")
    if users:
        found.append(
            Change(
                action=ResetPasswords.id,
                resource=vm.id,
                summary=f"give {', '.join(users)} of {vm.name} new passwords, kept in the Key Vault",
                reasons=(subject.reason, "whoever ran code as an administrator may know every password"),
                before={**base, "kind": "passwords", "users": users},
                lasting=_LASTING,
            )
        )
    things = [(f"the account {a.name}", a.name, "", accounts.made(case, vm, a)) for a in listed.accounts]
    things += [
        (f"the SSH key {k.print} ({k.comment or 'without a comment'}) of {k.user}", k.user, k.print, verdict)
        for k in listed.keys
        if (verdict := accounts.added(case, vm, k, listed.settled))
    ]
    for label, name, key, verdict in things:
        if verdict.familiarity == "familiar":
            kept.append(f"{label} of {vm.name}: {'; '.join(verdict.reasons)}")
            continue
        found.append(
            Change(
                action=ResetPasswords.id,
                resource=vm.id,
                summary=f"remove {label} from {vm.name}",
                reasons=verdict.reasons,
                before={**base, "kind": "key" if key else "account", "name": name, "key": key},
                lasting=_LASTING,
                familiarity=verdict.familiarity,
            )
        )
    return tuple(found), tuple(kept)


def _read(change: Change, view: Json, system: str) -> tuple[str, str]:
    """What is wrong with what a script came to, and what is to be noted besides. It is text from outside."""
    lines = [line.strip() for line in str(view.get("output") or "").splitlines()]
    last = lines[-1] if lines else ""
    if view.get("executionState") != "Succeeded":
        return f"the script came to {view.get('executionState') or 'nothing'}", ""
    if change.before["kind"] != "passwords":
        return ("" if last in {"removed", "gone"} else "the script did not say that it did it"), ""
    plain = accounts.NAMES[system]
    told: dict[str, list[str]] = {"closed": [], "failed": [], "new": []}
    for line in lines[:-1]:
        word, _, name = line.partition(" ")
        if word in told:
            told[word].append(name if plain.fullmatch(name) else "(no plain name)")
    if told["failed"] or not re.fullmatch(r"set \d{1,6}", last):
        names = ", ".join(told["failed"])
        return f"not set: {names or 'nobody knows of whom'}. What the vault has for these does not open them.", ""
    notes = [f"{', '.join(told['closed'])} was locked or deleted meanwhile, and stays so"] if told["closed"] else []
    if told["new"]:
        notes.append(f"{', '.join(told['new'])} came after the list: run the incident again")
    return "", "; ".join(notes)


async def _keep(azure: "Azure", change: Change, vm: "Machine", user: str, password: str) -> None:
    tags = {"machine": vm.id[-_TAG:], "vmId": vm.vm_id, "user": user, "change": change.id}
    await azure.keep_secret(_secret(change, vm, user), password, {**tags, "incident": change.before["incident"]})


async def _remove(azure: "Azure", id_: str) -> None:
    """Remove the run command. Raises Temporary until it is gone."""
    await commands.delete(azure, id_)
    if await commands.read(azure, id_) is not None:
        raise Temporary(f"{id_} is being removed.")


def _password() -> str:
    """32 characters of three kinds or four: some 190 bits, as much as every system takes."""
    everything = "".join(_ALPHABETS)
    while True:
        made = "".join(secrets.choice(everything) for _ in range(_LENGTH))
        if all(set(made) & set(kind) for kind in _ALPHABETS[:3]) and made[0] in string.ascii_letters:
            return made


def _secret(change: Change, vm: "Machine", user: str) -> str:
    """A name of machine, account and incident; letters, digits and hyphens."""
    mark = hashlib.sha256(f"{change.before['incident']} {vm.id.lower()} {user}".encode()).hexdigest()[:8]
    return f"ir-vm-{_slug(vm.name)}-{_slug(user)}-{mark}"


def _receipt(change: Change) -> str:
    return f"ir-vm-done-{change.id}"


def _command(change: Change) -> str:
    return f"{change.before['machine']}/runCommands/{commands.PREFIX}{change.before['kind']}-{change.id[:12]}"


def _after(change: Change) -> Json:
    return {"users": change.before["users"]} if change.before["kind"] == "passwords" else {}


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", text)[:40]


def _by_hand(vm: "Machine") -> str:
    """What a person can do where scripts can't."""
    admin = accounts.administrator(vm)
    if vm.cluster or admin == "":
        return ""
    return (
        f"Of {admin} alone the VMAccess extension can set the password, once the agent works ('az vm user update'): it "
        "makes him an administrator, even if he was removed, and in Linux lets passwords in by SSH. Of the others "
        "nobody can from outside."
    )
