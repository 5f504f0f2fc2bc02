# Gives accounts new passwords, and says which got none.
#
# PAIRS: "name:password", parted by semicolons. It comes as a protected parameter. Nothing of it becomes an argument of a
# command: module logging would write that down.
param([string]$PAIRS)
$ErrorActionPreference = 'Stop'
$names = New-Object System.Collections.Generic.List[string]
$count = 0
foreach ($pair in $PAIRS.Split(';')) {
    $at = $pair.IndexOf(':')
    $name = $pair.Substring(0, $at)
    $names.Add($name.ToLowerInvariant())
    $user = Get-LocalUser | Where-Object { $_.Name -eq $name }
    # Disabled or deleted since it was listed.
    if (-not $user -or -not $user.Enabled) { "closed $name"; continue }
    $secure = New-Object System.Security.SecureString
    foreach ($letter in $pair.Substring($at + 1).ToCharArray()) { $secure.AppendChar($letter) }
    $before = $user.PasswordLastSet
    try { Set-LocalUser -SID $user.SID -Password $secure } catch { "failed $name"; continue }
    $after = (Get-LocalUser -SID $user.SID).PasswordLastSet
    if ($after -and (-not $before -or $after -gt $before)) { $count += 1 } else { "failed $name" }
}
foreach ($user in Get-LocalUser) {
    if ($user.Enabled -and -not $names.Contains($user.Name.ToLowerInvariant())) { 'new ' + $user.Name }
}
"set $count"
