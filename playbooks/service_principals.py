"""An application held to be compromised."""

from playbooks.step import Step

STEPS = (
    Step("service_principals.disable", "one", contains=True),
    Step("service_principals.remove_federated_credentials", "one"),
    Step("service_principals.remove_certificates", "one"),
    Step("service_principals.remove_secrets", "two"),
    Step("service_principals.remove_grants", "one"),
    # One that a suspect made; all that it has and holds goes with it.
    Step("service_principals.delete", "two"),
    # A familiar one, when nothing of the intruder's is left on it.
    Step("service_principals.enable", "one", last=True),
)
