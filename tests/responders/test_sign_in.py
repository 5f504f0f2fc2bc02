"""Who calls is what the platform verified, or nobody."""

import base64
import json

import pytest

from responders.approvals import Person
from responders.errors import Refused
from responders.web.sign_in import person, require

ON = {"WEBSITE_AUTH_ENABLED": "True"}


def header(**claims: str) -> dict[str, str]:
    said = {"claims": [{"typ": typ, "val": val} for typ, val in claims.items()]}
    return {"x-ms-client-principal": base64.b64encode(json.dumps(said).encode()).decode()}


def test_the_platform_says_who_calls() -> None:
    who = person(header(oid="ABC", preferred_username="alice@contoso.example", roles="Approver"), ON)

    assert who == Person(id="abc", name="alice@contoso.example", roles=("Approver",))


def test_long_claim_names_are_understood() -> None:
    oid = "http://schemas.microsoft.com/identity/claims/objectidentifier"

    assert person(header(**{oid: "abc"}), ON).id == "abc"


@pytest.mark.parametrize("headers", [{}, {"x-ms-client-principal": "%%%"}, {"x-ms-client-principal": "bm8="}, header()])
def test_without_a_sign_in_there_is_nobody(headers: dict[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        person(headers, ON)

    assert caught.value.status == 401


def test_where_the_platform_does_not_authenticate_nobody_is_believed() -> None:
    with pytest.raises(Refused, match="Sign-in is not enforced"):
        person(header(oid="abc"), {})


def test_a_missing_role_is_named() -> None:
    with pytest.raises(Refused, match="app role Approver"):
        require(Person(id="a", name="rita", roles=("Reader",)), "Approver")
