"""What a role's wildcards allow."""

from typing import Any

import pytest

from playbooks.doctor.rights import allows, covers

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("permissions", "right", "allowed"),
    [
        ([{"actions": ["*"]}], "Microsoft.Compute/disks/read", True),
        ([{"actions": ["*/read"]}], "Microsoft.Compute/disks/read", True),
        ([{"actions": ["microsoft.compute/disks/READ"]}], "Microsoft.Compute/disks/read", True),
        ([{"actions": ["Microsoft.Compute/*"]}], "Microsoft.ComputeX/disks/read", False),
        ([{"actions": ["*"], "notActions": ["Microsoft.Compute/*"]}], "Microsoft.Compute/disks/read", False),
        (
            [{"actions": ["*"], "notActions": ["Microsoft.Compute/*"]}, {"actions": ["Microsoft.Compute/disks/read"]}],
            "Microsoft.Compute/disks/read",
            True,
        ),
        ([{"actions": ["Microsoft.Security/*"]}], "Microsoft.Security/locations/alerts/*", True),
        ([{"actions": ["Microsoft.Security/locations/alerts/read"]}], "Microsoft.Security/locations/alerts/*", False),
        (
            [{"actions": ["*"], "notActions": ["Microsoft.Security/locations/alerts/dismiss/action"]}],
            "Microsoft.Security/locations/alerts/*",
            False,
        ),
    ],
)
def test_wildcards_mean_what_azure_means(permissions: list[Json], right: str, allowed: bool) -> None:  # noqa: FBT001
    assert allows(permissions, right) is allowed


def test_a_dot_is_a_dot() -> None:
    assert not covers("Microsoft.Compute/disks/read", "MicrosoftxCompute/disks/read")
