"""The token of a link in a mail: for one person, one question, and no longer than that is open.

Signed (HMAC-SHA256), and no authority by itself: who follows the link signs in, and must be the one it names. It is
used up once the question is answered, since an answer is written once. Asked twice the same, a person gets it twice.
"""

import base64
import hashlib
import hmac

import msgspec
from msgspec import Struct

from responders.errors import Refused
from responders.model import encode

_FOR = b"countersign: the link to a question\n"  # what else the key may ever sign is something else
_LONGEST = 1000


class Link(Struct, frozen=True, kw_only=True):
    """What a token says."""

    incident: str
    question: str
    person: str  # Entra object id, lower case
    expires: int  # seconds since 1970


def token(key: str, link: Link) -> str:
    """The token of a link. Raises ValueError for an empty key: anyone could sign with that."""
    said = _text(encode(link))
    return f"{said}.{_signature(key, said)}"


def read(key: str, text: str) -> Link:
    """What a token says, if we signed it. Raises Refused (403)."""
    said, _, signature = text[:_LONGEST].partition(".")
    if not key or not hmac.compare_digest(_signature(key, said).encode(), signature.encode()):
        raise Refused(
            "This link is not one that Countersign made, or it was cut off on the way. Nothing was done. Copy it whole "
            "from the mail, or answer on the API.",
            403,
        )
    return msgspec.json.decode(base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)), type=Link)


def _signature(key: str, said: str) -> str:
    if not key:
        raise ValueError("No key.")
    return _text(hmac.digest(key.encode(), _FOR + said.encode(), hashlib.sha256))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
