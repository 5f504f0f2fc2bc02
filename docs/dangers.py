"""What a thief of the responder's identity could do with each of its Graph permissions, for docs/security.md."""

from docs import rights

Danger = tuple[str, str]  # what it could be turned into, and what stands in the way

DANGERS: dict[str, Danger] = {
    "AppRoleAssignment.ReadWrite.All": (
        "give any application, itself included, any permission in any application: **the whole tenant**",
        "nothing within Entra ID; watch for app role assignments that no incident explains",
    ),
    "Application.ReadWrite.All": (
        "add a secret to an application with more permissions, and be that application: **the whole tenant**",
        "fewer strong applications; app management policies that refuse new secrets",
    ),
    "AuditLog.Read.All": ("read who signed in from where, and what was changed", "it changes nothing"),
    "DelegatedPermissionGrant.ReadWrite.All": (
        "consent in everybody's name: an application of the thief's then reads mail as the people who sign in to it",
        "somebody has to sign in to that application",
    ),
    "Directory.Read.All": ("read all of the directory", "it changes nothing"),
    "GroupMember.ReadWrite.All": (
        "add itself to groups that hold Azure roles, licenses or access",
        "groups that may hold directory roles are out of reach of this one",
    ),
    "IdentityRiskyUser.ReadWrite.All": (
        "hide a risky user, or have policies of risk block anybody",
        "administrators without such policies, among them the break-glass accounts, still sign in",
    ),
    "Mail.Send": (
        "send mail as anybody",
        "application access policies of Exchange: limit it to the mailbox of `COUNTERSIGN_MAIL_FROM`",
    ),
    "RoleManagement.ReadWrite.Directory": (
        "make anybody Global Administrator: **the whole tenant**",
        "nothing within Entra ID; alert on changes of that role from outside your people",
    ),
    "User-PasswordProfile.ReadWrite.All": (
        "set anybody's password, but of those with directory roles",
        "multifactor authentication",
    ),
    "User.DeleteRestore.All": ("delete anybody, but those with directory roles", "30 days in the recycle bin"),
    "User.EnableDisableAccount.All": (
        "lock out anybody, but those with directory roles",
        "administrators, who can undo it",
    ),
    "User.Read.All": ("read everybody's profile", "it changes nothing"),
    "User.RevokeSessions.All": ("sign everybody out", "they sign in again"),
    "UserAuthenticationMethod.Read.All": ("read who has which way to sign in", "it changes nothing"),
    "UserAuthenticationMethod.ReadWrite.All": (
        "add a way to sign in to anybody's account, and take theirs away: **the whole tenant**, with a password",
        "the password; alert on methods that no incident explains",
    ),
}


def table() -> str:
    """The permissions by role, with their dangers and the actions that need them."""
    lines = ["| role | permission | a thief could | in the way | needed by |", "|---|---|---|---|---|"]
    for role, entries in rights.graph().items():
        for entry in entries:
            could, way = DANGERS[entry["value"]]
            why = ", ".join("always" if one == rights.ALWAYS else f"`{one}`" for one in entry["for"])
            lines.append(f"| {role} | `{entry['value']}` | {could} | {way} | {why} |")
    return "\n".join(lines)
