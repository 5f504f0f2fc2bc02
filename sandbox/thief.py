"""What an attacker still holds when the attack is over: each is tried when the response is.

He knows the passwords of those he came in as, keeps a session of each, and has the answers to his own calls: secrets,
temporary access passes, passwords of people he made. Trusted issuers are his where he trusted them himself. Of an
application as which he came, and to which he gave nothing, he knows its own secret.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.azure import login
from sandbox.azure.claims import claims_of
from sandbox.azure.directory import APPLICATION, COLLECTIONS, SERVICE_PRINCIPAL, USER
from sandbox.azure.well_known import made_up_id
from sandbox.checks import url
from sandbox.people import Unexpected
from sandbox.stage import DESK, identity, password

if TYPE_CHECKING:
    from sandbox.azure import Sandbox
    from sandbox.people import People
    from sandbox.scene import Scene
    from sandbox.world_file import Call

Json = dict[str, Any]

_OBJECT = re.compile(r"/(users|applications|servicePrincipals)(?:/|\(appId=')([^/?')]+)", re.IGNORECASE)
_TRUST = re.compile(r"(/subscriptions/.+)/federatedIdentityCredentials/[^/?]+", re.IGNORECASE)
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LISTS = re.compile(r"/list(Keys|Credentials)(\?|$)", re.IGNORECASE)
_KEY = 30  # no name or address that is listed beside a key is so long without a dot
_MUST_CHANGE = 50055
_OWN = "Given-back-to-0wner!"  # what owners choose when they must change a password


class Way(msgspec.Struct, frozen=True):
    """One way in: the form of a sign-in, or the public part of a certificate."""

    of: tuple[str, ...]  # object ids that it signs in as
    name: str
    form: dict[str, str] = {}
    trust: tuple[str, str, str] = ("", "", "")  # issuer, subject and audience of the token that goes with it
    certificate: str = ""


class Thief:
    """Whoever attacked."""

    def __init__(self, scene: "Scene", sandbox: "Sandbox", people: "People") -> None:
        self._scene, self._sandbox, self._people = scene, sandbox, people
        self._passwords = {u.upn.lower(): u.password or password(u.upn) for u in scene.world.users if not u.tenant}
        self._ways: list[Way] = []
        self._keys: list[tuple[Call, frozenset[str]]] = []  # what he asked for keys, and what he was answered

    def note(self, call: "Call", answer: Json) -> None:
        """Remember what a call of the attack gave him."""
        target, body = url(call.target), call.body if isinstance(call.body, dict) else {}
        self._keys += [(call, frozenset(_texts(answer)))] * bool(_LISTS.search(target))
        profile = body.get("passwordProfile") or {}
        if trust := _TRUST.search(target):
            self._note_trust(_behind(self._sandbox, trust[1]), body.get("properties") or {})
        elif call.method == "post" and profile.get("password"):
            self._passwords[str(body.get("userPrincipalName")).lower()] = profile["password"]
        elif (found := _OBJECT.search(target)) and (entry := self._find(found[1], found[2])):
            if profile.get("password"):
                self._passwords[entry["userPrincipalName"].lower()] = profile["password"]
            elif "secretText" in answer:
                form = {"client_id": entry["appId"], "client_secret": answer["secretText"]}
                self._application(entry, f"the secret {answer.get('displayName') or answer['keyId']}", form=form)
            elif "temporaryAccessPass" in answer:
                form = {"username": entry["userPrincipalName"], "password": answer["temporaryAccessPass"]}
                form["grant_type"] = "password"
                self._ways.append(Way((entry["id"],), "a temporary access pass", form))
            elif target.lower().endswith("/federatedidentitycredentials"):
                self._note_trust(entry, body)
            for key in body.get("keyCredentials") or ():
                if key.get("key"):
                    self._application(entry, "a certificate", certificate=key["key"])

    async def take(self, users: Iterable[str]) -> None:
        """Come in as each of these users (object ids), and keep the session. What doesn't work now is no way in."""
        for oid in users:
            entry = self._sandbox.world.directory.objects.get(oid)
            if entry is None or entry["@odata.type"] != USER:
                continue
            name, known = entry["userPrincipalName"], self._passwords.get(entry["userPrincipalName"].lower())
            if known and entry["userType"] != "Guest":
                form = {"grant_type": "password", "username": name, "password": known}
                self._ways.append(Way((oid,), "the password", form))
            claims = claims_of(self._sandbox.world.directory, oid, "arm")
            session = login.refresh_token(self._sandbox.tokens, claims)
            self._ways.append(Way((oid,), "a session", {"grant_type": "refresh_token", "refresh_token": session}))
        for oid, app_id, secret in self._leaked():
            form = {"client_id": app_id, "client_secret": secret}
            if entry := self._sandbox.world.directory.objects.get(oid):
                self._application(entry, "the leaked secret", form=form)
        self._ways = [way for way in self._ways if await self._works(way)]

    def _leaked(self) -> list[tuple[str, str, str]]:
        """Applications as which he came though he gave them nothing: he knew the secret that they had."""
        actors = {self._scene.who(call.by) for call in self._scene.exercise.attack}
        given = {oid for way in self._ways for oid in way.of}
        return [
            (p.id, p.app_id or made_up_id("app", p.name), p.secret)
            for p in self._scene.world.service_principals
            if p.secret and p.id in actors - given
        ]

    async def tries(self, identities: Mapping[str, str]) -> tuple[list[str], set[str]]:
        """Try all he has of these identities (name in the exercise by key in a snapshot).

        Returns a sentence for each way that works still, and the keys of those into which nothing leads any more of
        what he had.
        """
        failures, shut = [], set()
        for key, name in identities.items():
            oid = key.rpartition("/")[2]
            ways = [way for way in self._ways if oid in way.of]
            open_ = [way.name for way in ways if await self._works(way)]
            failures += [f"Open: {name} can still be signed in to with {way}." for way in open_]
            if ways and not open_:
                shut.add(key)
        return failures, shut

    async def keys(self, owner: str) -> list[str]:
        """Ask again as the owner for what he was told: a sentence for each resource of which a key still works."""
        open_ = []
        for call, told in self._keys:
            try:
                now = await self._people.make(msgspec.structs.replace(call, by=owner), "the owner")
            except Unexpected:
                continue  # it is gone
            if told.intersection(_texts(now)):
                open_.append(f"Open: keys that the attacker read still work: {url(call.target).partition('?')[0]}.")
        return open_

    async def returned(self, names: Mapping[str, str], vault: str) -> list[str]:
        """Let the owners of accounts come back: with the new password from the vault, which they change at once.

        Returns a sentence for each who can't.
        """
        return [why for key, name in names.items() if (why := await self._returns(key.rpartition("/")[2], name, vault))]

    async def _returns(self, oid: str, name: str, vault: str) -> str:
        entry = self._sandbox.world.directory.objects.get(oid)
        if entry is None:
            return f"Not given back: {name} is gone."
        new = await self._new_password(oid, vault)
        if not new:
            return f"Not given back: no secret of {vault} whose name starts with ir- has the tag user={oid}."
        form = {"username": entry["userPrincipalName"], "password": new}
        number, why = await self._people.sign_in({**form, "grant_type": "password"})
        if not number:
            return f"Not given back: {name} need not change the new password at the first sign-in."
        if number != _MUST_CHANGE:
            return f"Not given back: {name} can't sign in with the new password: {why}"
        if why := await self._people.change_password({**form, "new_password": _OWN}):
            return f"Not given back: {name} can't change the new password: {why}"
        number, why = await self._people.sign_in({**form, "password": _OWN, "grant_type": "password"})
        return f"Not given back: {name} can't sign in with the password of his own: {why}" if number else ""

    async def _new_password(self, oid: str, vault: str) -> str:
        """The newest of the secrets tagged with the user, read as the service desk; "" for none."""
        base, desk = vault.rstrip("/"), identity(self._scene, DESK)
        listed: list[Json] = []
        following = f"{base}/secrets?api-version=7.5"
        while following:
            page = await self._people.vault(following, desk)
            listed += page["value"]
            following = page.get("nextLink") or ""
        mine = [
            s for s in listed if s["id"].rpartition("/")[2].startswith("ir-") and s.get("tags", {}).get("user") == oid
        ]
        if not mine:
            return ""
        newest = max(mine, key=lambda s: s["attributes"]["created"])
        return str((await self._people.vault(f"{newest['id']}?api-version=7.5", desk))["value"])

    async def _works(self, way: Way) -> bool:
        directory = self._sandbox.world.directory
        if way.certificate:
            held = (c for oid in way.of for c in directory.objects.get(oid, {}).get("keyCredentials", ()))
            enabled = all(directory.objects.get(oid, {}).get("accountEnabled", True) for oid in way.of)
            return enabled and any(c.get("key") == way.certificate for c in held)
        form = dict(way.form)
        if way.trust[0]:
            form["client_assertion"] = self._sandbox.tokens.outside(*way.trust)
        return (await self._people.sign_in(form))[0] == 0

    def _note_trust(self, entry: Json | None, trust: Json) -> None:
        if entry and trust.get("issuer"):
            said = (str(trust["issuer"]), str(trust["subject"]), str((trust.get("audiences") or [""])[0]))
            form = {"client_id": entry["appId"], "client_assertion_type": _ASSERTION}
            self._application(entry, f"a token of {trust['issuer']}", form=form, trust=said)

    def _application(
        self,
        entry: Json,
        name: str,
        *,
        form: dict[str, str] | None = None,
        trust: tuple[str, str, str] = ("", "", ""),
        certificate: str = "",
    ) -> None:
        """Add a way in as an application: it is that of its service principal too, and the other way round."""
        directory = self._sandbox.world.directory
        both = (directory.application(entry["appId"]), directory.find(entry["appId"]))
        of = tuple(str(e["id"]) for e in both if e)
        grant = {**form, "grant_type": "client_credentials"} if form else {}
        self._ways.append(Way(of, name, grant, trust, certificate))

    def _find(self, collection: str, name: str) -> Json | None:
        kinds = {COLLECTIONS[kind].lower(): kind for kind in (USER, APPLICATION, SERVICE_PRINCIPAL)}
        directory = self._sandbox.world.directory
        found = directory.objects.get(name.lower()) or directory.find(name) or directory.application(name)
        if found and kinds[collection.lower()] == APPLICATION and found["@odata.type"] != APPLICATION:
            return directory.application(found.get("appId", ""))
        return found


def _texts(answer: Any) -> Iterator[str]:
    """All keys in an answer, at whatever depth."""
    if isinstance(answer, dict | list):
        for inner in answer.values() if isinstance(answer, dict) else answer:
            yield from _texts(inner)
    elif isinstance(answer, str) and len(answer) > _KEY:
        yield answer


def _behind(sandbox: "Sandbox", resource: str) -> Json | None:
    """The service principal of a managed identity, by its Azure resource."""
    principals = sandbox.world.directory.of_type(SERVICE_PRINCIPAL)
    wanted = resource.removeprefix("https://management.azure.com").lower()
    return next((p for p in principals if wanted in {n.lower() for n in p.get("alternativeNames", ())}), None)
