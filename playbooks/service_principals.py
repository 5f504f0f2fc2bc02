"""An application held to be compromised."""

from playbooks.step import Step

STEPS = (
    Step("service_principals.disable", "one", contains=True),
    Step("service_principals.remove_federated_credentials", "one"),
    Step("service_principals.remove_certificates", "one"),
    Step("service_principals.remove_secrets", "two"),
    # A familiar one, when nothing of the intruder's is left on it.
    Step("service_principals.enable", "one"),
)
