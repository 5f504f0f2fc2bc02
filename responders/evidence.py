"""Evidence: what was there before, and what was decided; written once and never changed.

One code path for a folder, for Azure Blob Storage and for memory (obstore). A put creates or fails, so two writers
can't both win. In a folder the bytes are staged beside the path and hard-linked to it when whole: a process that is
killed leaves nothing half-written in sight. Nothing is fsynced there, so a power cut can lose or empty the last writes;
Azure Blob Storage keeps what it has acknowledged.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec

from responders.errors import Permanent, Temporary
from responders.model import encode

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from obstore.store import AzureCredential, AzureStore, ObjectStore

T = TypeVar("T")
Paths = list[str]

MAX_PATH = 512
# A segment neither begins nor ends with a dot: no "..", nothing hidden, nothing that Blob Storage or Windows trims.
_SEGMENT = r"[A-Za-z0-9_-](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?"
_NAME = re.compile(_SEGMENT)
_PATH = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
# https://<account>.blob.<cloud>/<container>, of any Azure cloud; or an emulator's https://127.0.0.1:<port>/<account>/…
_BLOB = re.compile(
    r"(?P<endpoint>https://(?:(?P<account>[a-z0-9]{3,24})\.(?:z\d+\.)?blob\.[a-z0-9.-]+"
    r"|127\.0\.0\.1:\d+/(?P<emulated>[a-z0-9]{3,24})))/(?P<container>[a-z0-9-]{3,63})/?"
)
_CODE = re.compile(r"<Code>(\w+)</Code>")


def segment(name: str) -> str:
    """Return `name` if it can be one part of a path, such as an incident's folder; raise Permanent if not."""
    if not _NAME.fullmatch(name):
        raise Permanent(
            f"Not a name for evidence: {name[:200]!r}. Use up to 128 of A-Z a-z 0-9 . _ -, no dot at an end."
        )
    return name


def _checked(path: str) -> str:
    if len(path) > MAX_PATH or not _PATH.fullmatch(path):
        raise Permanent(
            f"Not a path for evidence: {path[:200]!r}. Its parts are A-Z a-z 0-9 . _ -, with no dot at an end."
        )
    return path


def _bytes(noun: object) -> bytes:
    return noun if isinstance(noun, bytes) else encode(noun)


class Evidence:
    """A store of named bytes. Every method raises Temporary or Permanent, and Permanent for a bad path.

    Paths are "incidents/<incident>/…/<name>": segments of A-Z a-z 0-9 . _ -, never a dot at either end of one.
    """

    def __init__(self, store: "ObjectStore") -> None:
        self._store = store

    @classmethod
    def at(cls, url: str, credential: "AsyncTokenCredential | None" = None) -> Self:
        """Open the store at `url`: a folder (plain or file://), memory:// or https://<account>.blob.…/<container>.

        A folder is made if absent; memory:// is a new, empty store each time; a container must exist, and needs a
        credential. Imports obstore (20 ms and more), so call it when first used and not while importing.
        """
        from obstore.store import LocalStore, MemoryStore

        scheme, found, _ = url.partition("://")
        if url and not found:
            return cls(LocalStore(Path(url).absolute(), mkdir=True))
        if scheme == "file":
            return cls(LocalStore.from_url(url, mkdir=True))
        if url == "memory://":
            return cls(MemoryStore())
        return cls(_blob_container(url, credential))

    async def write(self, path: str, noun: object) -> str:
        """Keep `noun` (bytes as they are, else as canonical JSON). Returns the SHA-256 of its bytes in hex.

        The same bytes again are fine; other bytes raise Permanent, and what was there stays.
        """
        data = _bytes(noun)
        if not await self.create(path, data):
            there = await self.read_bytes(path)
            if there is None:
                raise Temporary(
                    f"The evidence store refused to write {path} as already there, and then did not have it."
                )
            if there != data:
                raise Permanent(f"Evidence is written once: {path} is there already, with other content.")
        return hashlib.sha256(data).hexdigest()

    async def create(self, path: str, noun: object) -> bool:
        """Create `path` if absent: True when this call created it, False when it was there.

        After a reply that was lost, the repeat gives False: who must know whether the content is his own reads it.
        """
        from obstore.exceptions import AlreadyExistsError

        with _errors(f"write {_checked(path)}"):
            try:
                await self._store.put_async(path, _bytes(noun), mode="create")
            except AlreadyExistsError:
                return False
        return True

    async def read(self, path: str, type: type[T]) -> T | None:  # noqa: A002  msgspec's word
        """Return the JSON under `path` as `type`, None when absent. Raises Permanent when it is something else."""
        data = await self.read_bytes(path)
        try:
            return None if data is None else msgspec.json.decode(data, type=type)
        except msgspec.DecodeError as error:
            raise Permanent(f"Evidence at {path} is not what was expected there: {error}.") from error

    async def read_bytes(self, path: str) -> bytes | None:
        """Return the bytes under `path`, None when absent."""
        with _errors(f"read {_checked(path)}"):
            try:
                return bytes(await (await self._store.get_async(path)).bytes_async())
            except FileNotFoundError as error:
                if "ContainerNotFound" in str(error):  # nothing can be said about the path: that is not "absent"
                    raise
                return None

    async def list(self, prefix: str) -> Paths:
        """Return every path beneath the folder `prefix`, sorted; of none, the empty list."""
        with _errors(f"list {_checked(prefix)}"):
            return sorted([item["path"] async for page in self._store.list(prefix, chunk_size=1000) for item in page])

    async def everything(self) -> Paths:
        """Return every path there is, sorted: also of what others wrote there."""
        with _errors("list all"):
            return sorted([item["path"] async for page in self._store.list(chunk_size=1000) for item in page])


def _blob_container(url: str, credential: "AsyncTokenCredential | None") -> "AzureStore":
    from obstore.store import AzureStore

    match = _BLOB.fullmatch(url)
    if not match:
        raise Permanent(
            f"Not a place for evidence: {url[:200]!r}. Expected a folder, or https://<account>.blob.…/<container>."
        )
    if credential is None:
        raise Permanent(f"Evidence at {url} needs a credential: keys and shared access signatures are not used.")

    async def token() -> "AzureCredential":
        got = await credential.get_token("https://storage.azure.com/.default")
        return {"token": got.token, "expires_at": datetime.fromtimestamp(got.expires_on, UTC)}

    return AzureStore(
        match["container"],
        account_name=match["account"] or match["emulated"],
        endpoint=match["endpoint"],
        credential_provider=token,
        retry_config={"max_retries": 3},  # under a second's waiting; the engine does the patient retrying
    )


@contextmanager
def _errors(doing: str) -> Iterator[None]:
    """Tell the store's errors in our two words."""
    from obstore import exceptions as store

    try:
        yield
    except (store.BaseError, FileNotFoundError) as error:
        why = _brief(error)
        if isinstance(error, store.PermissionDeniedError) or "status code: 403" in why:  # of a list it's untyped
            raise Permanent(
                f"The evidence store refused to {doing}: {why}. The responder's identity needs the role "
                "Countersign Evidence of infra/roles.json there, and a network path to it."
            ) from error
        if isinstance(error, FileNotFoundError) or "status code: 404" in why:
            raise Permanent(f"The evidence store could not {doing}: its container does not exist ({why}).") from error
        if isinstance(error, store.InvalidPathError | store.NotSupportedError):
            raise Permanent(f"The evidence store can't {doing}: {why}.") from error
        # Timeouts, 5xx, no token to be had: all that may pass.
        raise Temporary(f"The evidence store could not {doing} now: {why}.") from error


def _brief(error: Exception) -> str:
    """First line of the store's message, without the body; the service's error code instead."""
    text = str(error)
    code = _CODE.search(text)
    return text.partition("\n")[0].partition(": <?xml")[0].rstrip(".") + (f" {code[1]}" if code else "")
