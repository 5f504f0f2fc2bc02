"""The Resource Manager id of an alert, checked when given and built from the portal's link when not."""

import re
from itertools import pairwise
from typing import Self
from urllib.parse import unquote

from msgspec import Struct

from responders.errors import Permanent
from responders.ids import ResourceId, is_guid

TYPE = "Microsoft.Security/locations/alerts"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}")  # a GUID, or "<number>_<GUID>"
_LOCATION = re.compile(r"[A-Za-z0-9]{1,60}")
_GROUP = re.compile(r"[\w.()\-]{1,90}")
_LINK = re.compile(r"https://([a-z0-9.\-]+)(?:/[\w!#$%&()*+,./:;=?@~\-]*)?", re.ASCII | re.IGNORECASE)
_MAX_LINK = 2048
# Hosts, not domains: anyone can have a name under azure.com.
_PORTALS = ("portal.azure.com", "portal.azure.us", "portal.azure.cn", "security.microsoft.com", "security.microsoft.us")
_ZERO = "00000000-0000-0000-0000-000000000000"  # what sample alerts hold in place of an id


def guid(text: str) -> str:
    """A GUID in lower case, or "" for anything else and for the GUID of zeros."""
    text = text.strip().lower()
    return text if is_guid(text) and text != _ZERO else ""


def alert_name(text: str) -> str:
    """Defender's id of an alert, checked. Raises Permanent."""
    if not _NAME.fullmatch(text):
        raise Permanent(f"{text[:100]!r} can't be the id of an alert. Nothing was done with it; look at who sent it.")
    return text


def is_alert(resource: ResourceId) -> bool:
    """Whether this is an alert of a subscription, a resource group or the tenant."""
    # An alert "on" another resource would smuggle that resource's path into the calls made with the id.
    return resource.is_type(TYPE) and resource.key.count("/providers/") == 1


def alert_resource(text: str) -> ResourceId:
    """Parse the id of an alert. Raises Permanent when it is that of anything else, or of nothing."""
    resource = ResourceId.parse(text.strip().rstrip("/"))
    if not is_alert(resource) or not _LOCATION.fullmatch(resource.names[0]):
        raise Permanent(f"{text[:200]!r} is not the id of an alert. Expected /subscriptions/<guid>/providers/{TYPE}…")
    alert_name(resource.name)
    return resource


class PortalLink(Struct, frozen=True, kw_only=True):
    """The portal's page of an alert, and what its address says. Only a known portal's address becomes a PortalLink."""

    url: str
    name: str = ""
    subscription: str = ""
    group: str = ""
    location: str = ""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Take a link apart; None when it isn't one, or holds what no portal wrote."""
        text = text.strip()
        match = _LINK.fullmatch(text) if len(text) <= _MAX_LINK else None
        host = match[1].lower() if match else ""
        if host not in _PORTALS and not host.endswith(".portal.azure.com"):
            return None
        words = [unquote(word) for word in text.split("/")]
        said: dict[str, str] = {}
        for key, value in pairwise(words):
            said.setdefault(key.lower(), value)
        found = [
            (said.get("alertid", ""), _NAME),
            (said.get("resourcegroup", ""), _GROUP),
            (said.get("location", ""), _LOCATION),
        ]
        if any(value and not pattern.fullmatch(value) for value, pattern in found):
            return None
        name, group, location = (value for value, _ in found)
        return cls(
            url=text,
            name=name,
            subscription=guid(said.get("subscriptionid", "")),
            group="" if set(group) == {"."} else group,
            location=location,
        )

    def id(self, subscription: str = "") -> str:
        """The alert's Resource Manager id, with `subscription` if the link has none; "" when that isn't enough."""
        subscription = self.subscription or subscription
        if not (self.name and self.location and subscription):
            return ""
        group = f"/resourceGroups/{self.group}" if self.group else ""
        return alert_resource(
            f"/subscriptions/{subscription}{group}/providers/Microsoft.Security/locations/{self.location}/alerts/{self.name}"
        ).text
