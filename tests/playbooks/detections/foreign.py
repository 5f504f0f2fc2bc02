"""Rules and activities that our matcher is held against another one with."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from responders.investigation.activity import Activity
from tests.responders.investigation.activities import activity

HERE = Path(__file__).parent
OPERATIONS = HERE.parents[2].parent / "shared/facts/azure_activity_operations.json"
LOGSOURCE = {"product": "azure", "service": "activitylogs"}
WRITTEN = yaml.safe_load((HERE / "foreign.yaml").read_text())


def rules() -> list[dict[str, Any]]:
    """Rules that are to be matched."""
    return [_rule(f"foreign-{n}", its["d"]) for n, its in enumerate(WRITTEN) if "refused" not in its]


def refused() -> list[tuple[dict[str, Any], str]]:
    """Rules that are to be refused, and a word of the reason."""
    return [(_rule(f"refused-{n}", its["d"]), its["refused"]) for n, its in enumerate(WRITTEN) if "refused" in its]


def published() -> list[dict[str, Any]]:
    """What SigmaHQ's rules for this log detect, where a list of them is beside the repository."""
    if not OPERATIONS.exists():
        return []
    listed = json.loads(OPERATIONS.read_text())["sigma_activitylogs_rules"]
    return [_rule(its["id"], {**its["detection"], "condition": its["condition"]}) for its in listed]


def _rule(name: str, detection: dict[str, Any]) -> dict[str, Any]:
    return {"title": name, "status": "test", "logsource": LOGSOURCE, "detection": detection, "level": "medium"}


def activities(examples: list[dict[str, Any]], number: int) -> Iterator[Activity]:
    """The examples, and made-up activities, always the same, in which much that rules ask for meets by chance."""
    yield from (activity(one["op"], **{k: v for k, v in one.items() if k != "op"}) for one in examples)
    chance = random.Random(7)  # noqa: S311  repeatable
    operations = [one["op"] for one in examples] + [f"Microsoft.Compute/virtualMachines/{x}/write" for x in "abc"]
    bodies = [one["request"] for one in examples if "request" in one]
    names = ("mallory@contoso.example", "ops@contoso.example", "OPS@fabrikam.example", "")
    addresses = ("203.0.113.7", "198.51.100.99", "198.51.100.200", "2001:db8::1", "::1", "")
    notes = ("a*b", "aXXb", "c:\\temp\\x", "c:\\temp\\?", "50%", "it's", "a_b", "axb", "", "ab")
    for n in range(number):
        oid = chance.choice(("0a0a0a0a", "0b0b0b0b", ""))
        own = {
            "count": chance.choice((1, 2, 5, 7, 7.5, "7", None)),
            "note": chance.choice(notes),
            "allowBlobPublicAccess": chance.choice((True, False, None)),
            "principalId": chance.choice(("0A0A0A0A", "other")),
        }
        request = chance.choice((chance.choice(bodies), {"properties": own}, {"Properties": own}, {}))
        example = chance.choice(examples)
        yield activity(
            chance.choice((example["op"], chance.choice(operations))),
            **{
                "outcome": chance.choice(("started", "accepted", "succeeded", "failed")),
                "resource": chance.choice(
                    (
                        f"/subscriptions/1111/resourceGroups/rg-shop/providers/a/virtualMachines/vm-{n % 4}",
                        "/subscriptions/1111/providers/Microsoft.Authorization/roleAssignments/a",
                        "/subscriptions/1111/resourceGroups/RG-BANK/providers/b/runbooks/LdHrqbvXMtjNoZg",
                        "/providers/Microsoft.Authorization",
                    )
                ),
                "caller": chance.choice(names),
                "oid": oid,
                "idtyp": chance.choice(("app", "user", "")),
                "address": chance.choice(addresses),
                "category": chance.choice(("Administrative", "Security", "")),
                "correlation": f"correlation-{n}",
                "request": request,
                **({k: v for k, v in example.items() if k != "op"} if chance.random() < 0.3 else {}),
            },
        )
