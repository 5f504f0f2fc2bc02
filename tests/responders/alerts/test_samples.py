"""Payloads that others published, where they are at hand."""

import pytest

from responders.alerts import parse
from responders.model import Alert, Ignored
from tests.responders.alerts.fixtures import SAMPLES

SAMPLE_FILES = {
    "activitylog-activate-alert-k8s": "no usable resource id",  # its subscription is a placeholder
    "activitylog-security-event-as-message-string": "no usable resource id",
    "eventhub-ARM_AnomalousServiceOperation.CredentialAccess": "ARM_AnomalousServiceOperation.CredentialAccess",
    "loganalytics-query-response-tables": "no alert type of Resource Manager",
    "loganalytics-securityalert-row-vm-mining": "SIMULATED_VM_DigitalCurrencyMining",
    "rest-2019-01-01-spec-example-get-old-schema": "ThreatIntelligence",
    "rest-2022-01-01-spec-example-get": "VM_EICAR",
    "rest-2022-01-01-spec-example-list": "VM_EICAR",
    "rest-SIMULATED_ARM_AnomalousRBACRoleAssignment": "ARM_AnomalousRBACRoleAssignment",
    "rest-old-schema-sql-bruteforce": "SQL.VM_BruteForce",
    "rest-old-schema-storage-exfiltration": "Storage.Blob_DataExfiltration",
    "sentinel-incident-alerts-spec-example": "myAlert",
}


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the published samples are not part of the repository")
@pytest.mark.parametrize(("name", "words"), SAMPLE_FILES.items())
def test_published_samples_become_what_they_are(name: str, words: str) -> None:
    found = parse((SAMPLES / f"{name}.json").read_bytes())
    ours = words.startswith("ARM_")
    assert len(found) == {"loganalytics-query-response-tables": 3, "rest-2022-01-01-spec-example-list": 2}.get(
        name, 2 if name.startswith("activitylog-security") else 1
    )
    if isinstance(found[0], Alert):
        assert ours
        assert (found[0].type, found[0].sample) == (words, True)
        assert found[0].name in found[0].id
    else:
        assert isinstance(found[0], Ignored)
        assert words in found[0].reason
        assert not ours


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the published samples are not part of the repository")
def test_every_published_sample_is_tested() -> None:
    assert {path.stem for path in SAMPLES.glob("*.json")} == set(SAMPLE_FILES)
