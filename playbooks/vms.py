"""A virtual machine on which an intruder ran code."""

from playbooks.step import Step

STEPS = (
    # Cut off first: what is in it reaches nobody any more, while the steps after this still reach it.
    Step("vms.isolate", "one"),
    # Instead, and only where a machine can't be cut off.
    Step("vms.deallocate", "one"),
)
