from typing import Any

import pytest

from tests.responders.alerts.fixtures import EVE, MALLORY, SUBSCRIPTION, TENANT, VM, alert, rest

ZEROS = "00000000-0000-0000-0000-000000000000"


def with_entities(*entities: object, **details: object) -> dict[str, Any]:
    return rest(entities=list(entities), extendedProperties=details)


def addresses(*entities: object) -> tuple[str, ...]:
    return alert(with_entities(*entities)).addresses


def test_a_reference_is_resolved_wherever_its_definition_lies() -> None:
    ip = {"$id": "9", "type": "ip", "address": "198.51.100.9"}
    inside = {"$id": "5", "type": "network-connection", "SourceAddress": ip}
    assert addresses({"$ref": "9"}, inside) == ("198.51.100.9",), "before its definition"
    assert addresses(inside, {"$ref": "9"}) == ("198.51.100.9",), "after it, and once"
    assert addresses({"type": "file", "Hosts": [{"x": [{"$ref": "9"}]}]}, inside) == ("198.51.100.9",), "deep inside"


def test_references_reach_into_the_rest_of_the_alert() -> None:
    body = with_entities({"$ref": "2"})
    body["properties"]["resourceIdentifiers"] = []
    body["properties"]["supportingEvidence"] = {"list": [{"$id": "2", "type": "ip", "address": "198.51.100.9"}]}
    assert alert(body).addresses == ("198.51.100.9",)


def test_of_repeated_ids_the_first_counts() -> None:
    first, second = ({"$id": "5", "type": "file", "ip": {"type": "ip", "address": f"198.51.100.{n}"}} for n in (1, 2))
    found = addresses({"type": "process", "Host": {"$ref": "5"}}, first, second)
    assert found == ("198.51.100.1", "198.51.100.2")


def test_order_follows_the_references() -> None:
    eve, mallory = ({"$id": i, "type": "account", "aadUserId": i} for i in (EVE, MALLORY))
    holder = {"type": "process", "accounts": [eve, mallory]}
    found = alert(with_entities({"$ref": MALLORY}, holder))
    assert [actor.id for actor in found.actors] == [MALLORY, EVE]


@pytest.mark.parametrize(
    "entities",
    [
        [{"$id": "1", "$ref": "1"}],
        [{"$id": "1", "$ref": "2"}, {"$id": "2", "$ref": "1"}],
        [{"$id": "1", "type": "file", "Parent": {"$ref": "2"}}, {"$id": "2", "type": "file", "Parent": {"$ref": "1"}}],
        [{"$ref": "nowhere"}, {"$ref": 7}, {"$ref": None}, {"$ref": {}}],
        [{"$id": [], "type": "ip"}, {"$id": {"$id": "3"}, "type": 5}],
        [None, 1, "text", [], [[]], {}],
    ],
)
def test_circles_and_loose_ends_do_no_harm(entities: list[object]) -> None:
    last = {"type": "ip", "address": "198.51.100.9"}
    assert addresses(*entities, last) == ("198.51.100.9",)


def test_a_long_chain_of_references_is_followed_without_recursion() -> None:
    chain = [{"$id": str(n), "type": "file", "next": {"$ref": str(n + 1)}} for n in range(5000)]
    end = {"$id": "5000", "type": "ip", "address": "198.51.100.9"}
    assert addresses(*chain, end) == ("198.51.100.9",)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("198.51.100.9", ("198.51.100.9",)),
        ("198.51.100.9:443", ("198.51.100.9",)),
        ("[2001:db8::9]:443", ("2001:db8::9",)),
        ("2001:0DB8:0000::0009", ("2001:db8::9",)),
        ("00.00.00.00", ()),
        ("0.0.0.0", ()),  # noqa: S104
        ("fe80::1%eth0';", ()),
        ("198.51.100.9' or 1 eq 1", ()),
        ("not an address", ()),
        (5, ()),
        (None, ()),
    ],
)
def test_only_addresses_are_addresses(address: object, found: tuple[str, ...]) -> None:
    assert addresses({"type": "ip", "address": address}) == found


@pytest.mark.parametrize(
    ("account", "upn", "name"),
    [
        ({"Name": "ops", "UPNSuffix": "contoso.example"}, "ops@contoso.example", "ops"),
        ({"name": "ops@contoso.example"}, "ops@contoso.example", "ops@contoso.example"),
        ({"name": "ops@contoso.example", "upnSuffix": "contoso.example"}, "ops@contoso.example", "ops@contoso.example"),
        ({"name": "Sample user", "upnSuffix": "sample"}, "", "Sample user"),
        ({"name": "Sample user"}, "", "Sample user"),
        ({"name": "o'brien", "upnSuffix": "contoso.example"}, "o'brien@contoso.example", "o'brien"),
        ({"name": "guest_x.example#EXT#@contoso.example"}, "guest_x.example#EXT#@contoso.example", None),
        ({"name": "x' or 1 eq 1 or '", "upnSuffix": "contoso.example"}, "", "x' or 1 eq 1 or '"),
        ({"name": "x'--", "upnSuffix": "contoso.example"}, "", "x'--"),
        ({"name": "<script>", "upnSuffix": "contoso.example"}, "", "<script>"),
        ({"name": "ops", "upnSuffix": "contoso.example/../x"}, "", "ops"),
    ],
)
def test_a_user_principal_name_is_one_or_is_left_out(account: dict[str, str], upn: str, name: str | None) -> None:
    (found,) = alert(with_entities({"type": "Account", **account})).actors
    assert (found.upn, found.name) == (upn, name or found.name)


@pytest.mark.parametrize("key", ["aadUserId", "AadUserId", "AADUSERID", "ObjectGuid"])
def test_object_ids_are_found_and_made_lower_case(key: str) -> None:
    (found,) = alert(with_entities({"type": "account", key: MALLORY.upper(), "aadTenantId": TENANT.upper()})).actors
    assert (found.id, found.tenant) == (MALLORY, TENANT)


def test_an_account_of_zeros_and_nothing_else_is_nobody() -> None:
    assert alert(with_entities({"type": "account", "aadUserId": ZEROS, "aadTenantId": ZEROS})).actors == ()


def test_the_same_account_twice_is_one_with_all_that_is_known() -> None:
    (found,) = alert(
        with_entities(
            {"type": "account", "aadUserId": MALLORY},
            {"type": "account", "aadUserId": MALLORY.upper(), "name": "mallory", "upnSuffix": "contoso.example"},
            {"type": "account", "name": "MALLORY", "upnSuffix": "contoso.example"},
        )
    ).actors
    assert (found.id, found.upn) == (MALLORY, "mallory@contoso.example")


def test_two_ids_with_one_name_are_two() -> None:
    twins = ({"type": "account", "aadUserId": i, "name": "ops", "upnSuffix": "contoso.example"} for i in (EVE, MALLORY))
    assert [actor.id for actor in alert(with_entities(*twins)).actors] == [EVE, MALLORY]


def test_zeros_in_the_details_are_nobody() -> None:
    assert alert(with_entities(**{"assigner principal ID": ZEROS, "assignee principal ID": ZEROS})).actors == ()


@pytest.mark.parametrize(
    "details",
    [
        {"assigner principal ID": MALLORY, "assignee principal ID": EVE},
        {"role definition creator principal ID": MALLORY},
        {"principal object ID": MALLORY},
        {"Attacker Object ID": MALLORY.upper()},
        {"aad user ID": MALLORY},
        {"principalObjectId": MALLORY},
        {"caller": "mallory@contoso.example"},
        {"role definition creator principal name": "mallory"},
        {"username": "mallory@contoso.example"},
    ],
)
def test_whom_the_details_name_comes_first(details: dict[str, str]) -> None:
    eve = {"type": "account", "aadUserId": EVE, "name": "eve", "upnSuffix": "contoso.example"}
    mallory = {"type": "account", "aadUserId": MALLORY, "name": "mallory", "upnSuffix": "contoso.example"}
    assert [actor.id for actor in alert(with_entities(eve, mallory, **details)).actors] == [MALLORY, EVE]


def test_without_accounts_the_details_say_who() -> None:
    details = {
        "role definition creator principal ID": MALLORY,
        "role definition creator principal name": "mallory@contoso.example",
        "role definition creator IP address": "198.51.100.9",
        "role definition ID": EVE,
        "application ID": EVE,
    }
    found = alert(with_entities(**details))
    assert [(actor.id, actor.upn) for actor in found.actors] == [(MALLORY, "mallory@contoso.example")]
    assert found.addresses == ("198.51.100.9",)


def test_who_was_given_rights_comes_last() -> None:
    found = alert(with_entities(**{"assignee principal ID": EVE, "assigner principal ID": MALLORY}))
    assert [actor.id for actor in found.actors] == [MALLORY, EVE]


def test_a_hostile_resource_is_dropped_and_the_rest_is_kept() -> None:
    hostile = [
        f"{VM}' | union SecurityEvent",
        f"{VM}/../../x",
        f"{VM}?x=1",
        "<img src=x>",
        f"/subscriptions/{ZEROS[:-1]}",
        5,
    ]
    found = alert(with_entities(*({"type": "azure-resource", "resourceId": text} for text in [*hostile, VM])))
    assert found.resources == (f"/subscriptions/{SUBSCRIPTION}", VM)


def test_resources_are_each_once_in_any_case() -> None:
    body = with_entities({"type": "azure-resource", "resourceId": VM.upper()}, {"type": "host", "azureID": VM})
    assert alert(body).resources == (f"/subscriptions/{SUBSCRIPTION}", VM.upper())


OTHER = "0a0a0a0a-1111-4222-8333-b0b0b0b0b0b0"


@pytest.mark.parametrize(
    "properties",
    [
        {"azureResourceId": f"/SUBSCRIPTIONS/{OTHER.upper()}/resourceGroups/x"},
        {"azureResourceId": f"/subscriptions/{OTHER}", "azureResourceSubscriptionId": SUBSCRIPTION},
        {"azureResourceSubscriptionId": OTHER},
        {"extendedProperties": {"EffectiveSubscriptionId": OTHER}},
        {"compromisedEntity": OTHER},
        {"entities": [{"type": "azure-resource", "resourceId": f"/subscriptions/{OTHER}"}]},
    ],
)
def test_where_the_subscription_is_found(properties: dict[str, object]) -> None:
    alone = {"alertType": "ARM_Azurite", "systemAlertId": "a-1", "startTimeUtc": "2026-03-04T10:00:00Z"}
    workspace = {"workspaceSubscriptionId": SUBSCRIPTION, "resourceIdentifiers": [{"type": "LogAnalytics"}]}
    found = alert(alone | workspace | properties)
    assert (found.subscription, found.id) == (OTHER, "")


def test_an_alert_of_the_tenant_has_no_subscription() -> None:
    found = alert(
        {"AlertType": "ARM_AnomalousElevateAccess", "SystemAlertId": "a-1", "StartTimeUtc": "2026-03-04T10:00:00Z"}
    )
    assert (found.subscription, found.concerns) == ("", ("user", "tenant"))


def test_details_have_one_spelling_and_are_texts() -> None:
    said = {
        "Client IP location": "x",
        "OMS agent ID": "y",
        "UserSID": "z",
        "count": 5,
        "ok": True,
        "none": None,
        "m": {"a": 1},
    }
    found = alert(with_entities(**said, **{"Attacker IP": "2", "attacker IP": "1"}))
    assert found.details == {
        "client IP location": "x",
        "oms agent ID": "y",
        "userSID": "z",
        "count": "5",
        "ok": "true",
        "m": '{"a":1}',
        "attacker IP": "1",
    }
