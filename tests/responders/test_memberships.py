"""Whoever deletes a membership deletes nothing else."""

import pytest

from responders.errors import Permanent
from responders.memberships import reference


@pytest.mark.parametrize("bad", ["", "..", "{id}?x=", "{id}/", "{id}/members/{id}#", "ops@contoso.example"])
def test_the_path_of_a_membership_is_never_that_of_a_user(bad: str) -> None:
    group, user = "2d4f6a81-9c3e-4b57-8a10-6e5d4c3b2a01", "0b5d8a51-6c1e-4f0a-8d5e-1f2a3b4c5d03"

    assert reference(group, user) == f"/groups/{group}/members/{user}/$ref"
    with pytest.raises(Permanent, match="is no object id"):
        reference(group, bad.format(id=user))
    with pytest.raises(Permanent, match="is no object id"):
        reference(bad.format(id=group), user)
