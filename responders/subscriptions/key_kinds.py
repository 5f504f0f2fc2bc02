"""What hands out keys to whoever may ask: how each type lists them, and how each key is made anew."""

from msgspec import Struct

from responders.model import Json


class Key(Struct, frozen=True):
    """One key."""

    name: str  # as the list has it
    body: Json  # of the request that makes it anew
    path: str = ""  # of that request, beneath the resource; "" for the kind's
    method: str = "POST"


# Other ways to come by a key, or by what a key has signed: ends of operations, in lower case.
OTHER_WAYS = frozenset({"listaccountsas", "listservicesas", "listconnectionstrings", "readonlykeys"})


class KeyKind(Struct, frozen=True):
    """The keys of one type."""

    version: str  # of its API
    lists: str  # the POST that lists them, beneath the resource
    renews: str  # the POST that makes one anew
    keys: tuple[Key, ...]
    rights: tuple[str, str]  # to list, and to renew, beneath the type
    uses: str = "whoever connects with one of its keys"


def _by(which: str, *pairs: tuple[str, str]) -> tuple[Key, ...]:
    return tuple(Key(name, {which: value}) for name, value in pairs)


def _kind(version: str, renews: str, which: str, *pairs: tuple[str, str], lists: str = "listKeys") -> KeyKind:
    rights = f"{lists}/action", f"{renews}/action"
    return KeyKind(version, lists, renews, _by(which, *pairs), rights)


_BUS = ("primaryKey", "PrimaryKey"), ("secondaryKey", "SecondaryKey")
_TWO = ("key1", "key1"), ("key2", "key2")

KINDS = {
    "Microsoft.Automation/automationAccounts": _kind(
        "2023-11-01",
        "agentRegistrationInformation/regenerateKey",
        "keyName",
        ("Primary", "primary"),
        ("Secondary", "secondary"),
    ),
    "Microsoft.Cache/redis": _kind(
        "2023-08-01", "regenerateKey", "keyType", ("primaryKey", "Primary"), ("secondaryKey", "Secondary")
    ),
    "Microsoft.CognitiveServices/accounts": _kind(
        "2023-05-01", "regenerateKey", "keyName", ("key1", "Key1"), ("key2", "Key2")
    ),
    "Microsoft.ContainerRegistry/registries": _kind(
        "2023-07-01",
        "regenerateCredential",
        "name",
        ("password", "password"),
        ("password2", "password2"),
        lists="listCredentials",
    ),
    "Microsoft.DocumentDB/databaseAccounts": _kind(
        "2024-05-15",
        "regenerateKey",
        "keyKind",
        ("primaryMasterKey", "primary"),
        ("secondaryMasterKey", "secondary"),
        ("primaryReadonlyMasterKey", "primaryReadonly"),
        ("secondaryReadonlyMasterKey", "secondaryReadonly"),
    ),
    "Microsoft.EventHub/namespaces/authorizationRules": _kind("2024-01-01", "regenerateKeys", "keyType", *_BUS),
    "Microsoft.ServiceBus/namespaces/authorizationRules": _kind("2021-11-01", "regenerateKeys", "keyType", *_BUS),
    "Microsoft.Storage/storageAccounts": _kind("2023-05-01", "regenerateKey", "keyName", *_TWO),
    "Microsoft.Web/sites/host": KeyKind(
        "2023-12-01",
        "listKeys",
        "",
        (
            Key("masterKey", {"properties": {"name": "_master"}}, "functionkeys/_master", "PUT"),
            Key("default", {"properties": {"name": "default"}}, "functionkeys/default", "PUT"),
        ),
        ("listKeys/action", "functionKeys/write"),
        uses="whoever calls its functions by a key",
    ),
}
