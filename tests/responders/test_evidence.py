import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError

from responders.errors import Permanent, Temporary
from responders.evidence import Evidence, segment
from responders.model import Actor, Verdict, encode
from tests.azurite import Identity
from tests.responders import process
from tests.responders.conftest import Opener
from tests.responders.process import another, both


def sizes(folder: Path) -> dict[str, int | None]:
    """Each path beneath `folder`, with its size if it is a file."""
    return {
        str(path.relative_to(folder)): path.stat().st_size if path.is_file() else None for path in folder.rglob("*")
    }


async def test_what_was_written_is_read(reopen: Opener) -> None:
    actor = Actor(id="1", name="Zoë")
    assert await reopen().write("incidents/one/actor.json", actor) == hashlib.sha256(encode(actor)).hexdigest()
    assert await reopen().read("incidents/one/actor.json", Actor) == actor
    assert await reopen().read_bytes("incidents/one/actor.json") == encode(actor)


async def test_bytes_are_kept_as_they_are(evidence: Evidence) -> None:
    raw = bytes(range(256))
    assert await evidence.write("raw", raw) == hashlib.sha256(raw).hexdigest()
    assert await evidence.read_bytes("raw") == raw
    await evidence.write("empty", b"")
    assert await evidence.read_bytes("empty") == b""


async def test_equal_nouns_have_one_digest_whatever_the_order_of_their_fields(evidence: Evidence) -> None:
    assert await evidence.write("one", {"a": 1, "b": 2}) == await evidence.write("two", {"b": 2, "a": 1})


async def test_writing_the_same_again_is_fine(reopen: Opener) -> None:
    first = await reopen().write("case/plan.json", {"n": 1})
    assert await reopen().write("case/plan.json", {"n": 1}) == first


async def test_nothing_is_overwritten(reopen: Opener) -> None:
    await reopen().write("case/plan.json", {"n": 1})
    with pytest.raises(Permanent, match=r"written once: case/plan\.json is there already"):
        await reopen().write("case/plan.json", {"n": 2})
    assert await reopen().read_bytes("case/plan.json") == b'{"n":1}'


async def test_a_store_that_contradicts_itself_is_asked_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async def there(*_: object) -> bool:
        return False

    evidence = Evidence.at("memory://")
    monkeypatch.setattr(evidence, "create", there)
    with pytest.raises(Temporary, match="refused to write a as already there, and then did not have it"):
        await evidence.write("a", b"")


async def test_only_the_first_creates(reopen: Opener) -> None:
    assert await reopen().create("vote", {"by": "ann"})
    assert not await reopen().create("vote", {"by": "bob"})
    assert not await reopen().create("vote", {"by": "ann"})
    assert await reopen().read("vote", dict) == {"by": "ann"}


async def test_what_is_absent_is_none(evidence: Evidence) -> None:
    await evidence.write("case/sub/there", b"")
    for path in ("absent", "case/absent", "case", "case/sub", "case/sub/the"):
        assert await evidence.read_bytes(path) is None
        assert await evidence.read(path, Actor) is None


async def test_reading_something_else_says_what_and_where(evidence: Evidence) -> None:
    await evidence.write("case/actor.json", {"id": 7})
    await evidence.write("case/torn.json", b'{"id": "7"')
    with pytest.raises(Permanent, match=r"case/actor\.json is not what was expected there: Expected `str`, got `int`"):
        await evidence.read("case/actor.json", Actor)
    with pytest.raises(Permanent, match=r"case/torn\.json is not"):
        await evidence.read("case/torn.json", Actor)
    await evidence.write("case/verdict.json", {"familiarity": "surely", "reasons": []})
    with pytest.raises(Permanent, match="Invalid enum value 'surely'"):
        await evidence.read("case/verdict.json", Verdict)


async def test_a_list_is_sorted_and_stays_in_its_folder(evidence: Evidence) -> None:
    for path in ("a/2", "a/10", "a/b/1", "ab/1", "a.txt"):
        await evidence.write(path, b"")
    assert await evidence.list("a") == ["a/10", "a/2", "a/b/1"]
    assert await evidence.list("a/b") == ["a/b/1"]
    assert await evidence.list("none") == []


async def test_a_list_is_whole_beyond_a_page(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for i in range(2345):
        (tmp_path / "many" / str(i)).touch()
    assert len(await Evidence.at(str(tmp_path)).list("many")) == 2345


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "incidents/../other",
        "incidents/one/..",
        "./x",
        "a//b",
        "a/",
        "a/.hidden",
        "a/ends.",
        "...",
        "a\\b",
        "a b",
        "a%2e%2e",
        "ä",
        "a\n",
        "a/\0",
        "a#1",
        "a:b",
        "a" * 129,
        "/".join(["abc"] * 200),
    ],
)
async def test_a_path_can_not_lead_elsewhere(tmp_path: Path, path: str) -> None:
    evidence = Evidence.at(str(tmp_path / "evidence"))
    with pytest.raises(Permanent, match="Not a path for evidence"):
        await evidence.write(path, b"x")
    with pytest.raises(Permanent, match="Not a path for evidence"):
        await evidence.create(path, b"x")
    with pytest.raises(Permanent, match="Not a path for evidence"):
        await evidence.read_bytes(path)
    with pytest.raises(Permanent, match="Not a path for evidence"):
        await evidence.list(path)
    assert sizes(tmp_path) == {"evidence": None}


def test_a_segment_is_one_part_of_a_path() -> None:
    assert segment("2517-a_B.c") == "2517-a_B.c"
    for name in ("a/b", "", "..", ".a", "a.", "a" * 129):
        with pytest.raises(Permanent, match="Not a name for evidence"):
            segment(name)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3://bucket/evidence",
        "memory://shared",
        "http://contoso.blob.core.windows.net/evidence",
        "https://contoso.blob.core.windows.net",
        "https://contoso.blob.core.windows.net/evidence/deeper",
        "https://contoso.blob.core.windows.net/evidence?sv=2024&sig=abc",
        "https://user:word@contoso.blob.core.windows.net/evidence",
        "https://contoso.example/evidence",
    ],
)
def test_a_place_that_is_not_understood_is_refused(url: str) -> None:
    with pytest.raises(Permanent, match="Not a place for evidence"):
        Evidence.at(url, Identity())


@pytest.mark.parametrize("cloud", ["blob.core.windows.net", "z7.blob.storage.azure.net", "blob.core.usgovcloudapi.net"])
def test_a_container_of_any_cloud_is_opened_by_identity_only(cloud: str) -> None:
    url = f"https://contosoevidence.{cloud}/evidence"
    Evidence.at(url, Identity())
    with pytest.raises(Permanent, match="needs a credential"):
        Evidence.at(url)


async def test_a_folder_is_named_by_path_or_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    await Evidence.at("new/folder").write("a", b"1")
    assert await Evidence.at(str(tmp_path / "new" / "folder")).read_bytes("a") == b"1"
    assert await Evidence.at((tmp_path / "new" / "folder").as_uri()).read_bytes("a") == b"1"


def test_of_two_racing_processes_one_wins_each_path(shared: str) -> None:
    a, b = both("race", shared)
    assert sorted(a + b) == list(range(process.RACES))


async def test_what_a_race_left_is_the_winner_s_and_whole(tmp_path: Path) -> None:
    a, _ = both("race", str(tmp_path))
    for i in range(process.RACES):
        who = "a" if i in a else "b"
        assert await Evidence.at(str(tmp_path)).read(f"race/{i:03}", dict) == {"by": who, "padding": who * 5000}


async def test_a_process_killed_while_writing_leaves_nothing_in_sight(tmp_path: Path) -> None:
    evidence = Evidence.at(str(tmp_path))
    with another("die", str(tmp_path), "a") as writer:
        writer.communicate("go\n")
        assert writer.returncode == -signal.SIGXFSZ
    assert [size for size in sizes(tmp_path).values() if size is not None] == [process.HALF]
    assert await evidence.read_bytes("big") is None
    assert await evidence.list("big") == []
    assert await evidence.create("big", b"whole")
    assert await evidence.read_bytes("big") == b"whole"


async def test_an_absent_container_is_no_absent_evidence(container: str) -> None:
    evidence = Evidence.at(container + "-gone", Identity())
    with pytest.raises(Permanent, match=r"could not read a: its container does not exist \(.*ContainerNotFound\)"):
        await evidence.read_bytes("a")
    with pytest.raises(Permanent, match="could not write a: its container does not exist"):
        await evidence.write("a", b"")
    with pytest.raises(Permanent, match="could not list a: its container does not exist"):
        await evidence.list("a")


async def test_a_missing_right_says_which_role_to_give(container: str) -> None:
    with pytest.raises(
        Permanent,
        match=r"refused to read a: .*403.*needs the role Countersign Evidence",
    ):
        await Evidence.at(container, Identity(lifetime=-30)).read_bytes("a")


async def test_a_token_serves_many_calls(container: str) -> None:
    identity = Identity()
    evidence = Evidence.at(container, identity)
    for i in range(5):
        await evidence.write(f"a/{i}", b"")
    assert await evidence.list("a") == [f"a/{i}" for i in range(5)]
    assert identity.tokens == 1


async def test_no_token_to_be_had_is_temporary(container: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(*_: str, **__: object) -> None:
        raise ClientAuthenticationError("The identity endpoint did not answer.")

    identity = Identity()
    monkeypatch.setattr(identity, "get_token", none)
    with pytest.raises(Temporary, match=r"could not read a now: .*The identity endpoint did not answer"):
        await Evidence.at(container, identity).read_bytes("a")


async def test_a_store_that_does_not_answer_is_temporary(unused_tcp_port: int) -> None:
    evidence = Evidence.at(f"https://127.0.0.1:{unused_tcp_port}/devstoreaccount1/evidence", Identity())
    with pytest.raises(Temporary, match="could not read a now"):
        await evidence.read_bytes("a")


def test_importing_evidence_and_journal_loads_no_store() -> None:
    code = "import sys, responders.evidence, responders.journal; print({'obstore', 'azure'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "set()\n"
