"""A virtual machine on which an intruder ran code."""

from playbooks.step import Step

STEPS = (
    # Cut off first: what is in it reaches nobody any more, while the steps after this still reach it.
    Step("vms.isolate", "one"),
    # Instead, and only where a machine can't be cut off.
    Step("vms.deallocate", "one"),
    # Irreversible, but all that is lost is an address.
    Step("vms.remove_shareable_links", "one"),
    # Before anything that changes a disk. It stays, but nothing is lost by it.
    Step("vms.capture_evidence", "one"),
    Step("vms.retain_backups", "one"),
    Step("vms.scan", "one", hours=13),
    # While it runs, and before its disk is changed.
    Step("vms.remove_run_commands", "one"),
    Step("vms.remove_extensions", "one"),
    # One of them: by whether the OS disk can be set aside.
    Step("vms.reimage", "two", hours=2),
    Step("vms.reimage_in_place", "two", hours=2),
    # Again: in a machine that was off, or whose agent did not report in, they could not be taken away before.
    Step("vms.remove_run_commands", "one"),
    Step("vms.remove_extensions", "one"),
    # In whichever system it has now: also that of an image knows the password that the machine was made with.
    Step("vms.list_accounts", "one"),
    Step("vms.reset_passwords", "two"),
    # Of the new system, if it has a scanner; else nothing is done twice.
    Step("vms.scan", "one", hours=13),
    # Only what was rebuilt, or, where somebody names it, what a scan found nothing in.
    Step("vms.release", "two"),
)
