"""What a deployment may choose, read from the environment once; each field's comment is its documentation."""

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Self

import msgspec

from responders.errors import Misconfigured
from responders.ids import is_guid
from responders.model import Gate

PREFIX = "COUNTERSIGN_"
# Durable Functions cuts longer timers into slices, and on Azure Storage can't cancel them then (SDK 1.7.0).
_LONGEST_WAIT = timedelta(days=6)
SHORTEST_KEY = 32


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting is an app setting of the same name in capitals, after COUNTERSIGN_."""

    # Subscriptions that may be acted on: GUIDs, separated by commas. Alerts of any other are refused.
    subscriptions: tuple[str, ...]
    # Where evidence and journal are kept: a folder, or https://<account>.blob.core.windows.net/<container>.
    evidence: str
    # How long the owner has to answer. Silence is then held to be "unexpected".
    owner_wait: timedelta = timedelta(minutes=30)
    # How long approvers have. Silence is then "no": nothing is changed, and the report says so.
    approval_wait: timedelta = timedelta(hours=4)
    # How far before the alert the suspect's doings are held against him.
    lookback: timedelta = timedelta(hours=24)
    # How far before that what everybody usually does is read: what is new in the window is told by it.
    baseline: timedelta = timedelta(days=21)
    # A folder of your own Sigma rules, compiled with `python -m playbooks.detections`. Empty: only ours are matched.
    rules: str = ""
    # Never changed, whatever a plan says: object ids, principal names or resource ids (with all beneath), by commas.
    protected: tuple[str, ...] = ()
    # Known good: object ids, principal names or resource ids (with all beneath), by commas. What a suspect made in the
    # window is none of it, wherever it lies.
    familiar: tuple[str, ...] = ()
    # Tags that mark something as known good: "countersign=familiar". One counts only where it was there before the
    # window, since whoever can plant a thing can tag it too.
    familiar_tags: tuple[str, ...] = ()
    # Principals (object ids or principal names, by commas) whose deployments are known good, unless they are suspects.
    pipelines: tuple[str, ...] = ()
    # Tags that name the owner of a resource, a resource group or a subscription: by principal name or mail address.
    owner_tags: tuple[str, ...] = ("owner",)
    # Whom to ask when nothing in Azure says who is the owner: user principal names, separated by commas.
    owners: tuple[str, ...] = ()
    # Whom to tell that something waits for approval: user principal names, separated by commas.
    approvers: tuple[str, ...] = ()
    # The mailbox that questions are sent from. Empty: no mail; questions wait on the API.
    mail_from: str = ""
    # A plan with more changes than this needs two approvals, whatever its gate says.
    max_changes: int = 50
    # Other gates than the playbooks': "users.disable=auto,subscriptions.remove_runbooks=two".
    gates: dict[str, Gate] = {}
    # Channels to tell that somebody is asked (Teams, Slack, …): Apprise URLs, separated by blanks. A secret: use a Key
    # Vault reference.
    channels: str = ""
    # What signs the links in mails to owners: 32 characters or more. A secret: use a Key Vault reference. Empty: no
    # links; owners answer on the API.
    link_key: str = ""
    # The address under which people reach the API; used in mails.
    url: str = ""
    # The Key Vault that new passwords are kept in: https://<name>.vault.azure.net. Empty: no password is set, and the
    # report says who has to.
    vault: str = ""
    # The resource group that snapshots of disks are kept in as evidence, by its id; best in a subscription of its own.
    # Empty: none are made, and nothing is changed on a disk either.
    evidence_group: str = ""
    # Addresses from which your own people may reach a machine that is cut off: CIDR ranges, separated by commas.
    soc_ranges: tuple[str, ...] = ()
    # Image versions of your galleries that machines made of the same images may be rebuilt from, whoever wrote there
    # since: ids, by commas.
    images: tuple[str, ...] = ()
    # What tokens for the vault are asked for: other clouds have others.
    vault_audience: str = "https://vault.azure.net"
    # Azure Resource Manager, and Microsoft Graph: other clouds have others.
    arm: str = "https://management.azure.com"
    graph: str = "https://graph.microsoft.com"
    # What tokens for Resource Manager are asked for, where that is not its own address.
    arm_audience: str = ""
    # The Log Analytics workspace that the Activity Log is streamed to, by its id, a GUID. Empty: none; Azure Monitor is
    # read alone.
    workspace: str = ""
    # Log Analytics' query API: other clouds have others.
    logs: str = "https://api.loganalytics.io"
    # The region in which Defender is asked once a day for its sample alerts, e.g. centralus: when they don't arrive as
    # incidents, approvers and channels are told. Empty: it is not asked.
    heartbeat: str = ""
    # How long the engine keeps a run that has ended and been reported. Evidence, journal and report stay.
    keep_runs: timedelta = timedelta(days=90)

    @classmethod
    def load(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings. Raises Misconfigured, naming the setting, when one is missing or wrong."""
        raw: dict[str, object] = {}
        for field in msgspec.structs.fields(cls):
            name = PREFIX + field.name.upper()
            text = environment.get(name, "").strip()
            if text.startswith("@Microsoft.KeyVault("):  # what App Service leaves of one that it can't resolve
                raise Misconfigured(f"Setting {name} is a reference to Key Vault that could not be read there.")
            if not text:
                if field.required:
                    raise Misconfigured(f"Setting {name} is missing and has no default.")
            elif field.type in (tuple[str, ...], dict[str, Gate]):
                items = [part.strip() for part in text.split(",") if part.strip()]
                pairs = field.type == dict[str, Gate]
                raw[field.name] = dict(_pair(name, item) for item in items) if pairs else items
            else:
                raw[field.name] = text
        try:
            settings = msgspec.convert(raw, cls, strict=False)
        except msgspec.ValidationError as error:
            raise Misconfigured(f"A setting is wrong: {error} (names are {PREFIX}<FIELD>).") from error
        _check(settings)
        return settings

    def __repr__(self) -> str:
        return "Settings()"  # some are secrets

    def covers(self, subscription: str) -> bool:
        """Whether that subscription may be acted on."""
        return subscription.lower() in {s.lower() for s in self.subscriptions}


def _pair(name: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise Misconfigured(f"Setting {name} holds {text!r}; write it as <step>=<gate>.")
    return key.strip(), value.strip()


def _check(settings: Settings) -> None:
    for name, wait in (("OWNER_WAIT", settings.owner_wait), ("APPROVAL_WAIT", settings.approval_wait)):
        if not timedelta() < wait <= _LONGEST_WAIT:
            raise Misconfigured(
                f"Setting {PREFIX}{name} is {wait}; it may be {_LONGEST_WAIT} at most, and not nothing."
            )
    if 0 < len(settings.link_key) < SHORTEST_KEY:
        raise Misconfigured(f"Setting {PREFIX}LINK_KEY is shorter than {SHORTEST_KEY} characters: it could be guessed.")
    for text in settings.familiar_tags:
        if not all(part.strip() for part in text.partition("=")):
            raise Misconfigured(f"Setting {PREFIX}FAMILIAR_TAGS holds {text!r}; write it as <name>=<value>.")
    _check_places(settings)
    _check_timers(settings)
    guids = [("SUBSCRIPTIONS", text) for text in settings.subscriptions]
    for name, text in [*guids, *([("WORKSPACE", settings.workspace)] if settings.workspace else [])]:
        if not is_guid(text):
            raise Misconfigured(f"Setting {PREFIX}{name} holds {text!r}, which is no GUID.")
    for name, url in (
        ("ARM", settings.arm),
        ("GRAPH", settings.graph),
        ("LOGS", settings.logs),
        ("VAULT", settings.vault),
    ):
        if url and not url.startswith("https://"):
            raise Misconfigured(f"Setting {PREFIX}{name} is {url!r}; tokens are sent over https only.")


def _check_timers(settings: Settings) -> None:
    if settings.keep_runs < timedelta():
        raise Misconfigured(f"Setting {PREFIX}KEEP_RUNS is {settings.keep_runs}; it may not be less than nothing.")
    if settings.heartbeat and not settings.heartbeat.isalnum():
        raise Misconfigured(f"Setting {PREFIX}HEARTBEAT is {settings.heartbeat!r}; write a region, e.g. centralus.")


def _check_places(settings: Settings) -> None:
    from ipaddress import ip_network

    for text in settings.soc_ranges:
        try:
            ip_network(text)
        except ValueError as error:
            raise Misconfigured(f"Setting {PREFIX}SOC_RANGES holds {text!r}: {error}.") from error
    if settings.evidence_group:
        parts = settings.evidence_group.lower().split("/")
        shape = ["", "subscriptions", "", "resourcegroups", ""]
        right = len(parts) == len(shape) and all(s in {"", part} for s, part in zip(shape, parts, strict=True))
        if not right or not is_guid(parts[2]):
            raise Misconfigured(
                f"Setting {PREFIX}EVIDENCE_GROUP is {settings.evidence_group!r}; write it as "
                "/subscriptions/<guid>/resourceGroups/<name>."
            )
