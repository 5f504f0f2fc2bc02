"""Whatever names a place in Azure from outside stays where it belongs."""

import pytest

from responders.azure.words import odata, same_host, segment
from responders.errors import Permanent

ARM = "https://management.azure.com"


@pytest.mark.parametrize(
    "link",
    ["https://evil.example/x", f"{ARM}.evil.example/x", f"{ARM}@evil.example/x", "http://management.azure.com/x", ARM],
)
def test_a_next_link_to_another_host_is_not_followed(link: str) -> None:
    with pytest.raises(Permanent, match="another host"):
        same_host(link, ARM)


def test_a_next_link_to_where_the_list_was_is_followed_however_it_is_spelled() -> None:
    same_host("https://Management.Azure.com/subscriptions?$skiptoken=x", f"{ARM}/")


def test_a_name_stays_one_part_of_a_path_and_one_literal() -> None:
    assert segment("a/../b?c") == "a%2F..%2Fb%3Fc"
    assert odata("o' or '1' eq '1") == "'o'' or ''1'' eq ''1'"
