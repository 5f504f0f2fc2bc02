# Says who can log in to this machine, and which SSH keys are in files that were changed lately. Changes nothing.
#
# SINCE: from when on a change counts, in seconds since 1970. A line each, its fields parted by tabs:
#   d NAME                the domain that the machine is joined to; its accounts are not listed.
#   c                     a domain controller, which has no accounts of its own.
#   u NAME RID DAY BORN   an enabled account. DAY: when its password was set, in days since 1970.
#                         BORN: when it was made, by the security log, in seconds; "before" where that reaches back
#                         beyond SINCE and has nothing of it, 0 where it does not.
#   k NAME PRINT CHANGED COMMENT   a key in a file that was changed since then. COMMENT in base64.
#   f NAME PRINT          a key in a file that was not.
param([string]$SINCE)
$ErrorActionPreference = 'Stop'
$epoch = [DateTimeOffset]::FromUnixTimeSeconds([long]$SINCE)

# A name as it is, or behind an equals sign in base64: what a machine says may be anything.
function Get-Word([string]$Name) {
    if ($Name -cmatch '\A[A-Za-z0-9_][A-Za-z0-9_. -]{0,19}\z') { return $Name }
    return '=' + [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($Name.Substring(0, [Math]::Min(24, $Name.Length))))
}

# How a key is called in all that is said of it: the first half of its SHA-256.
function Get-Print([string]$Key) {
    try { $bytes = [Convert]::FromBase64String($Key) } catch { return '' }
    $hash = [Security.Cryptography.SHA256]::Create().ComputeHash($bytes)
    return ([BitConverter]::ToString($hash) -replace '-', '').ToLowerInvariant().Substring(0, 32)
}

$lines = New-Object System.Collections.Generic.List[string]
$computer = Get-CimInstance -ClassName Win32_ComputerSystem
if ($computer.PartOfDomain) { $lines.Add("d`t" + (Get-Word $computer.Domain)) }
if ($computer.DomainRole -ge 4) {
    $lines.Add('c')
} else {
    # Event 4720: an account was made. A log that was cleared says nothing.
    $made = @{}
    $filter = @{ LogName = 'Security'; Id = 4720; StartTime = $epoch.LocalDateTime }
    foreach ($entry in @(Get-WinEvent -FilterHashtable $filter -ErrorAction SilentlyContinue)) {
        $made[[string]$entry.Properties[2].Value] = [DateTimeOffset]$entry.TimeCreated
    }
    $first = Get-WinEvent -LogName Security -MaxEvents 1 -Oldest -ErrorAction SilentlyContinue
    $reaches = $first -and [DateTimeOffset]$first.TimeCreated -lt $epoch
    foreach ($user in Get-LocalUser) {
        if (-not $user.Enabled) { continue }
        $sid = [string]$user.SID
        $day = 0
        if ($user.PasswordLastSet) { $day = [Math]::Floor(([DateTimeOffset]$user.PasswordLastSet).ToUnixTimeSeconds() / 86400) }
        $born = if ($reaches) { 'before' } else { 0 }
        if ($made.ContainsKey($sid)) { $born = $made[$sid].ToUnixTimeSeconds() }
        $lines.Add("u`t" + (Get-Word $user.Name) + "`t" + $sid.Split('-')[-1] + "`t$day`t$born")
    }
}
$files = @{ 'Administrators' = (Join-Path $env:ProgramData 'ssh\administrators_authorized_keys') }
foreach ($folder in @(Get-ChildItem -LiteralPath (Join-Path $env:SystemDrive 'Users') -Directory -ErrorAction SilentlyContinue)) {
    $files[$folder.Name] = Join-Path $folder.FullName '.ssh\authorized_keys'
}
foreach ($name in ($files.Keys | Sort-Object)) {
    if (-not (Test-Path -LiteralPath $files[$name] -PathType Leaf)) { continue }
    $changed = ([DateTimeOffset](Get-Item -LiteralPath $files[$name] -Force).LastWriteTimeUtc).ToUnixTimeSeconds()
    foreach ($line in @(Get-Content -LiteralPath $files[$name] -TotalCount 500)) {
        if ($line.StartsWith('#') -or $line -cnotmatch '(AAAA[A-Za-z0-9+/=]+)\s?(.{0,24})') { continue }
        $print = Get-Print $Matches[1]
        if ($changed -lt $epoch.ToUnixTimeSeconds()) { $lines.Add("f`t" + (Get-Word $name) + "`t$print"); continue }
        $comment = [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($Matches[2].Trim()))
        $lines.Add("k`t" + (Get-Word $name) + "`t$print`t$changed`t$comment")
    }
}
'accounts'
$lines
'end'
