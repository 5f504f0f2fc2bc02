"""A virtual machine on which an intruder ran code."""

from playbooks.step import Step

STEPS = (Step("vms.deallocate", "one"),)
