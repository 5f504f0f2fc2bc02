"""What checkov finds in infra/ and is left as it is, with the reason. Everything else that it finds fails the test."""

CONFIG = "It takes sites/config for a site: these are app settings and sign-in."
SITE = "The site answers Logic Apps and Event Grid, which have no private way to it; sign-in stands before it."
SWITCH = "It can't read the switch: with privateNetwork on it is closed, and without, identities alone get in."

# By check, and by the kind of resource that it complains about.
LEFT: dict[tuple[str, str], str] = {
    ("CKV_AZURE_78", "Microsoft.Web/sites"): "Flex Consumption has no FTP, and does not take the property.",
    ("CKV_AZURE_13", "Microsoft.Web/sites/config"): CONFIG,
    ("CKV_AZURE_63", "Microsoft.Web/sites/config"): CONFIG,
    ("CKV_AZURE_65", "Microsoft.Web/sites/config"): CONFIG,
    ("CKV_AZURE_66", "Microsoft.Web/sites/config"): CONFIG,
    ("CKV_AZURE_80", "Microsoft.Web/sites/config"): CONFIG,
    ("CKV_AZURE_88", "Microsoft.Web/sites/config"): CONFIG,
    ("CKV_AZURE_222", "Microsoft.Web/sites/config"): CONFIG,
    ("CKV_AZURE_222", "Microsoft.Web/sites"): SITE,
    ("CKV_AZURE_17", "Microsoft.Web/sites"): "Callers prove who they are by Entra ID; Defender has no certificate.",
    (
        "CKV_AZURE_212",
        "Microsoft.Web/sites",
    ): "Flex Consumption scales by itself, from the instance that is always ready.",
    ("CKV_AZURE_213", "Microsoft.Web/sites"): "Flex Consumption has no health checks by path.",
    ("CKV_AZURE_225", "Microsoft.Web/serverfarms"): "Zones are not to be had in every region; runs survive a restart.",
    ("CKV_AZURE_193", "Microsoft.EventGrid/topics"): "Logic Apps have no private way to it; it takes no keys.",
    ("CKV_AZURE_35", "Microsoft.Storage/storageAccounts"): SWITCH,
    ("CKV_AZURE_109", "Microsoft.KeyVault/vaults"): SWITCH,
    (
        "CKV_AZURE_43",
        "Microsoft.Storage/storageAccounts",
    ): "It can't read the name: test_names_are_such_as_azure_takes can.",
    (
        "CKV_AZURE_206",
        "Microsoft.Storage/storageAccounts",
    ): "Three copies in three zones; evidence stays in its region.",
    (
        "CKV_AZURE_41",
        "Microsoft.KeyVault/vaults/secrets",
    ): "Each deployment makes a new key; a date would end links unseen.",
    ("CKV_AZURE_114", "Microsoft.KeyVault/vaults/secrets"): "It is set; the check does not see it behind a condition.",
    ("CKV_AZURE_131", "string"): "The default of the secure parameter is newGuid(): made anew, and written nowhere.",
    ("CKV_AZURE_19", "Microsoft.Security/pricings"): "It is Standard; the check does not see it behind a condition.",
    (
        "CKV_AZURE_84",
        "Microsoft.Security/pricings",
    ): "Another plan of Defender's than the one that Countersign answers.",
    ("CKV_AZURE_87", "Microsoft.Security/pricings"): "The same.",
}
