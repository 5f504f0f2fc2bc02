"""How an exercise says what is in a machine."""

from datetime import UTC, datetime
from pathlib import Path

from sandbox.azure import Clock, guest, guest_login
from sandbox.scene import load
from sandbox.stage import build

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
FILE = """\
id: inside
title: What is in a machine
techniques: [T1651]
world: contoso
extend:
  machines:
    - id: ${web1}
      users: [{name: deploy, password: Deploy-1}, {name: webadmin, keys: [ssh-ed25519 AAAA ops]}]
      files: {/opt/miner: COUNTERSIGN-SANDBOX-MALWARE}
      scanner: clamav
attack:
  - {at: -PT45M, as: dev@contoso.example, get: "${web1}?api-version=2024-07-01"}
alert: {type: ARM_Azurite, at: -PT35M, via: eventgrid, entities: {account: dev@contoso.example}}
answers: {owner: unexpected}
expect: {evicted: [/users/dev@contoso.example], alert: resolved}
"""
RG = "/subscriptions/3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64/resourceGroups/rg-web/providers/Microsoft.Compute"


def test_a_machine_of_an_exercise_has_its_users_and_files_on_its_disk(tmp_path: Path) -> None:
    path = tmp_path / "inside.yaml"
    path.write_text(FILE)
    world, clock = build(load(path, NOW)), Clock(NOW, running=False)
    web1, web2, disk = (
        world.get(f"{RG}/{name}")
        for name in ("virtualMachines/vm-web-1", "virtualMachines/vm-web-2", "disks/osdisk-web-1")
    )
    assert web1
    assert web2
    assert disk
    assert disk.body["sandbox"]["guest"] == guest.of(world, web1)
    assert guest.malware(guest.of(world, web1)) == ("/opt/miner",)
    assert guest.malware(guest.of(world, web2)) == ()
    assert guest_login.entry(world, clock, web1.id, "deploy", password="Deploy-1").ok
    assert guest_login.entry(world, clock, web1.id, "webadmin", key="ssh-ed25519 AAAA me").ok
    # The web machines' group lets nobody in from outside but to port 443.
    assert not guest_login.entry(world, clock, web1.id, "deploy", password="Deploy-1", source="198.51.100.9").ok
    assert not guest_login.entry(world, clock, web2.id, "deploy", password="Deploy-1").ok
