"""A managed identity held to be compromised."""

from playbooks.step import Step

# It has no secret and can't be disabled; the rights that suspects gave it go with the subscription's playbook.
STEPS = (
    Step("managed_identities.remove_federated_credentials", "one"),
    Step("service_principals.remove_grants", "one"),
)
