"""A setting that is wrong is named."""

from datetime import timedelta

import pytest

from responders.errors import Permanent
from responders.settings import Settings

NEEDED = {
    "COUNTERSIGN_SUBSCRIPTIONS": "0f907ea4-bc8b-4c11-9d7e-805c2fd144fb",
    "COUNTERSIGN_EVIDENCE": "memory://",
}


def test_what_is_not_set_has_its_default() -> None:
    settings = Settings.load(NEEDED)

    assert settings.owner_wait == timedelta(minutes=30)
    assert settings.covers("0F907EA4-BC8B-4C11-9D7E-805C2FD144FB")


def test_lists_durations_and_gates_are_read() -> None:
    said = {
        "COUNTERSIGN_PROTECTED": "break-glass@contoso.example, /subscriptions/x",
        "COUNTERSIGN_OWNER_WAIT": "PT1H",
        "COUNTERSIGN_GATES": "users.disable=auto",
        "COUNTERSIGN_MAX_CHANGES": "7",
    }

    settings = Settings.load(NEEDED | said)

    assert settings.protected == ("break-glass@contoso.example", "/subscriptions/x")
    assert (settings.owner_wait, settings.max_changes) == (timedelta(hours=1), 7)
    assert settings.gates == {"users.disable": "auto"}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"COUNTERSIGN_SUBSCRIPTIONS": ""}, "COUNTERSIGN_SUBSCRIPTIONS is missing"),
        ({"COUNTERSIGN_SUBSCRIPTIONS": "all"}, "'all', which is no GUID"),
        ({"COUNTERSIGN_OWNER_WAIT": "soon"}, "owner_wait"),
        ({"COUNTERSIGN_APPROVAL_WAIT": "P7D"}, "may be 6 days, 0:00:00 at most"),
        ({"COUNTERSIGN_GATES": "users.disable"}, "<step>=<gate>"),
        ({"COUNTERSIGN_GATES": "users.disable=none"}, "gates"),
        ({"COUNTERSIGN_ARM": "http://management.azure.com"}, "https only"),
        ({"COUNTERSIGN_LINK_KEY": "guess me"}, "LINK_KEY is shorter than 32"),
        (
            {"COUNTERSIGN_LINK_KEY": "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/k)"},
            "LINK_KEY is a ref",
        ),
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, str], named: str) -> None:
    with pytest.raises(Permanent, match=named):
        Settings.load(NEEDED | wrong)
