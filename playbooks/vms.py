"""A virtual machine on which an intruder ran code."""

from playbooks.step import Step

STEPS = (
    # Cut off first: what is in it reaches nobody any more, while the steps after this still reach it.
    Step("vms.isolate", "one"),
    # Instead, and only where a machine can't be cut off.
    Step("vms.deallocate", "one"),
    # Before anything that changes a disk. It stays, but nothing is lost by it.
    Step("vms.capture_evidence", "one"),
    # In whichever system it has now: also that of an image knows the password that the machine was made with.
    Step("vms.list_accounts", "one"),
    Step("vms.reset_passwords", "two"),
)
