"""One virtual machine as the actions see it: read once, told apart; what can't be done to it, and what a person must.

                          network   disks     scripts   removal   rebuild
    Linux, Windows        yes       yes       yes       yes       yes
    ephemeral OS disk     yes       no        yes       yes       yes
    attached, specialized yes       yes       yes       yes       yes, by a swap
    no managed disks      yes       no        yes       yes       no
    scale-set instance    no        yes       yes       yes       yes
    flexible scale set    yes       yes       yes       yes       yes
    AKS node              no        yes       no        yes       no
    deallocated, stopped  yes       yes       no        no        yes
    agent not ready       yes       yes       no        no        yes
    extensions off        yes       yes       no        no        yes
    disk encryption       yes       yes       yes       yes       no (Azure Disk Encryption: its keys are in the disk)
    Trusted Launch        yes       yes       yes       yes       yes

`Machine.hindrance` is that table. Microsoft.Compute/virtualMachines, …/virtualMachineScaleSets/virtualMachines.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from responders import familiarity
from responders.azure import absent_is_fine, rest
from responders.ids import ResourceId
from responders.memo import Memo
from responders.model import Case, Json

if TYPE_CHECKING:
    from responders.azure import Azure

VM, INSTANCE = "Microsoft.Compute/virtualMachines", "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"
KINDS = (VM, INSTANCE)
PERMISSIONS = (*(f"{kind}/read" for kind in KINDS), "Microsoft.Resources/subscriptions/resourceGroups/read")

# network: other security groups on its interfaces; disks: snapshots; scripts: run commands; removal: of run commands
# and extensions; rebuild: another system on its OS disk.
Need = Literal["network", "disks", "scripts", "removal", "rebuild"]
Origin = Literal["image", "attached", "specialized"]
_CLUSTER = "Microsoft.ContainerService/managedClusters"
# The machines of an incident often lie in one group.
_groups = Memo[str](60)


class Machine(Struct, frozen=True, kw_only=True):
    """A machine. `body` is what Azure answers, with the instance view, and without anything secret."""

    id: str
    name: str
    location: str
    vm_id: str  # GUID: another machine of the same name has another one
    system: Literal["Linux", "Windows"]
    power: str  # running, starting, stopping, stopped, deallocating, deallocated, or unknown
    ready: bool  # whether its agent reports in
    origin: Origin  # of its OS disk: made from an image and set up by Azure; attached as it was; a copy of another's
    ephemeral: bool  # OS disk on the host: no resource, gone when the machine moves
    os_disk: str  # ARM id of the managed disk; "" where there is none
    data_disks: tuple[str, ...]  # ARM ids of the managed ones
    unmanaged: tuple[str, ...]  # names of disks that are blobs in a storage account
    interfaces: tuple[str, ...]  # ARM ids
    encrypted: bool  # Azure Disk Encryption, inside the machine; not the one at the host, nor by customers' keys
    security: str  # "", TrustedLaunch or ConfidentialVM
    scale_set: str  # ARM id; "" for none
    cluster: str  # ARM id of the Kubernetes cluster whose node it is; "" for none
    body: Json

    @property
    def resource(self) -> ResourceId:
        return ResourceId.parse(self.id)

    @property
    def instance(self) -> bool:
        """Whether it lies in a scale set, and shares its model (uniform orchestration)."""
        return self.resource.is_type(INSTANCE)

    @property
    def agentless(self) -> bool:
        """Whether it was set up without an agent: none will ever report in."""
        kinds = ("linuxConfiguration", "windowsConfiguration")
        return any((self._profile.get(kind) or {}).get("provisionVMAgent") is False for kind in kinds)

    @property
    def _profile(self) -> Json:
        return self.body["properties"].get("osProfile") or {}

    @property
    def disks(self) -> tuple[str, ...]:
        """ARM ids of all managed disks, the OS disk first."""
        return (*((self.os_disk,) if self.os_disk else ()), *self.data_disks)

    def hindrance(self, need: Need) -> str:
        """Why that can't be done to this machine now, and what a person must do instead; "" when it can."""
        if self.cluster and need not in {"disks", "removal"}:
            return (
                f"{self.name} is a node of the Kubernetes cluster {self.cluster.rpartition('/')[2]}, which makes "
                "its nodes itself: cordon and drain the node, then delete it from its pool (a cluster administrator)."
            )
        if need == "network":
            return self._network()
        if need == "disks":
            return self._disks()
        if need in {"scripts", "removal"}:
            return self._scripts()
        return self._rebuild()

    def _network(self) -> str:
        if self.instance:
            return (
                f"{self.name} shares the network profile of the scale set {self.resource.names[0]}: its interfaces "
                "can't be changed by themselves. Deallocate or reimage the instance, or change the whole set (a "
                "Virtual Machine Contributor)."
            )
        if not self.interfaces:
            return f"{self.name} has no network interface that Azure shows: look at it in the portal."
        return ""

    def _disks(self) -> str:
        if self.ephemeral:
            return (
                f"{self.name} has an ephemeral OS disk, of which there are no snapshots: collect memory and files from "
                "inside, with the tools of your incident responders, before its rebuild is approved."
            )
        if self.unmanaged:
            return (
                f"{self.name} has disks that are blobs ({', '.join(self.unmanaged)}): copy the blobs (a Storage Blob "
                "Data Owner)."
            )
        return ""

    def _scripts(self) -> str:
        if self.power != "running":
            return (
                f"{self.name} is {self.power}: nothing runs in it. Start it when it is isolated, then run the incident "
                "again (a Virtual Machine Contributor)."
            )
        if self._profile.get("allowExtensionOperations") is False:
            return (
                f"Extension operations are off in {self.name}: Azure runs nothing in it, and takes nothing away. Set "
                "osProfile.allowExtensionOperations to true ('az vm update --set'), then run the incident again (a "
                "Virtual Machine Contributor)."
            )
        if not self.ready:
            return (
                f"The agent of {self.name} does not report in: whoever was in the machine may have ended it. Repair it "
                "by the serial console, or reimage the machine (a Virtual Machine Contributor)."
            )
        return ""

    def _rebuild(self) -> str:
        if self.encrypted:
            return (
                f"{self.name} is encrypted by Azure Disk Encryption, and would not find its keys on another disk: "
                "restore it from a backup, with its key vault (a Backup Operator)."
            )
        if self.unmanaged and not self.os_disk and not self.ephemeral:
            return f"{self.name} has no managed OS disk: make it anew (a Virtual Machine Contributor)."
        return ""


async def read(azure: "Azure", id_: str) -> Machine | None:
    """The machine with that id, or None when it is gone. One or two reads."""
    at = ResourceId.parse(id_)
    found: Any = None
    compute = azure.compute(at.subscription)
    with absent_is_fine():
        if at.is_type(INSTANCE):
            found = await compute.virtual_machine_scale_set_vms.get(at.group, *at.names, expand="instanceView")
        else:
            found = await compute.virtual_machines.get(at.group, at.name, expand="instanceView")
    return None if found is None else described(rest(found), await _cluster(azure, at))


async def to_clean(case: Case, id_: str, azure: "Azure") -> Machine | str:
    """The machine with that id, or why it is not to be cleaned: it is gone, or to be deleted."""
    vm = await read(azure, id_)
    return f"There is no virtual machine {id_}." if vm is None else doomed(case, vm) or vm


def doomed(case: Case, vm: Machine) -> str:
    """Why a machine is not to be cleaned: a suspect made it, and it is to be deleted; "" when it is to be cleaned.

    What is done to it besides would be in the way of that, since only what is as it was planned is deleted.
    """
    made = vm.body["properties"].get("timeCreated")
    verdict = familiarity.judge(case, None, datetime.fromisoformat(made) if made else None, thing=vm.scale_set or vm.id)
    if made is None or verdict.familiarity != "unfamiliar":
        return ""
    return f"{vm.name} is to be deleted (subscriptions.delete_resources), not cleaned: {'; '.join(verdict.reasons)}."


def described(body: Json, cluster: str = "") -> Machine:
    """A machine by what a GET with its instance view answers."""
    properties: Json = body["properties"]
    storage, view = properties.get("storageProfile") or {}, properties.get("instanceView") or {}
    disk, profile = storage.get("osDisk") or {}, properties.get("osProfile") or {}
    windows = str(disk.get("osType", "")).lower() == "windows" or bool(profile.get("windowsConfiguration"))
    ephemeral = (disk.get("diffDiskSettings") or {}).get("option") == "Local"
    data = storage.get("dataDisks") or ()
    nics = (properties.get("networkProfile") or {}).get("networkInterfaces") or ()
    attached = str(disk.get("createOption", "")).lower() == "attach"
    set_ = str((properties.get("virtualMachineScaleSet") or {}).get("id") or "")
    if ResourceId.parse(body["id"]).is_type(INSTANCE):
        set_ = body["id"][: body["id"].lower().rindex("/virtualmachines/")]
    return Machine(
        id=body["id"],
        name=str(body.get("name") or ResourceId.parse(body["id"]).name),
        location=str(body.get("location") or ""),
        vm_id=str(properties.get("vmId") or ""),
        system="Windows" if windows else "Linux",
        power=next((s.partition("/")[2] for s in _codes(view) if s.startswith("PowerState/")), "unknown"),
        ready=_ready(view),
        origin="attached" if attached else "image" if profile and storage.get("imageReference") else "specialized",
        ephemeral=ephemeral,
        os_disk="" if ephemeral else _managed(disk),
        data_disks=tuple(id_ for d in data if (id_ := _managed(d))),
        unmanaged=tuple(str(d.get("name")) for d in (disk, *data) if d.get("vhd")),
        interfaces=tuple(str(nic["id"]) for nic in nics),
        encrypted=_encrypted(body, disk, view),
        security=str((properties.get("securityProfile") or {}).get("securityType") or ""),
        scale_set=set_,
        cluster=cluster,
        body={k: v for k, v in body.items() if k != "systemData"},
    )


async def _cluster(azure: "Azure", at: ResourceId) -> str:
    """The Kubernetes cluster that manages the group in which a machine lies (GET of the group, managedBy).

    Tags say it too, but whoever may write the machine may write them.
    """
    group = f"/subscriptions/{at.subscription}/resourceGroups/{at.group}"

    async def ask() -> str:
        return str((await azure.arm_read(group, "2021-04-01") or {}).get("managedBy") or "")

    owner = await _groups.get(azure, group.lower(), ask)
    return owner if f"/{_CLUSTER}/".lower() in owner.lower() else ""


def _codes(view: Json) -> list[str]:
    return [str(status.get("code", "")) for status in view.get("statuses") or ()]


def _ready(view: Json) -> bool:
    said = (view.get("vmAgent") or {}).get("statuses") or ()
    return any(str(status.get("displayStatus")).lower() == "ready" for status in said)


def _managed(disk: Json) -> str:
    return str((disk.get("managedDisk") or {}).get("id") or "")


def _encrypted(body: Json, disk: Json, view: Json) -> bool:
    extensions = body.get("resources") or ()
    kinds = [str((e.get("properties") or {}).get("type", "")).lower() for e in extensions]
    settings = [disk.get("encryptionSettings") or {}]
    settings += [s for d in view.get("disks") or () for s in d.get("encryptionSettings") or ()]
    return any(k.startswith("azurediskencryption") for k in kinds) or any(s.get("enabled") for s in settings)
