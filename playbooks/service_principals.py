"""An application held to be compromised."""

from playbooks.step import Step

STEPS = (Step("service_principals.disable", "one", contains=True),)
