# Takes away one account (its profile stays), or one SSH key.
#
# NAME: the account, or whose file the key is in. KEY: what the list says of the key; "-" for the account itself.
param([string]$NAME, [string]$KEY)
$ErrorActionPreference = 'Stop'

function Get-Print([string]$Key) {
    try { $bytes = [Convert]::FromBase64String($Key) } catch { return '' }
    $hash = [Security.Cryptography.SHA256]::Create().ComputeHash($bytes)
    return ([BitConverter]::ToString($hash) -replace '-', '').ToLowerInvariant().Substring(0, 32)
}

if ($KEY -eq '-') {
    $user = Get-LocalUser | Where-Object { $_.Name -eq $NAME }
    if (-not $user) { 'gone'; return }
    Disable-LocalUser -SID $user.SID
    Remove-LocalUser -SID $user.SID
    'removed'
    return
}
$file = Join-Path $env:ProgramData 'ssh\administrators_authorized_keys'
if ($NAME -ne 'Administrators') { $file = Join-Path $env:SystemDrive (Join-Path 'Users' (Join-Path $NAME '.ssh\authorized_keys')) }
if (-not (Test-Path -LiteralPath $file -PathType Leaf)) { 'gone'; return }
$rest = foreach ($line in @(Get-Content -LiteralPath $file)) {
    if (-not $line.StartsWith('#') -and $line -cmatch '(AAAA[A-Za-z0-9+/=]+)' -and (Get-Print $Matches[1]) -eq $KEY) { continue }
    $line
}
# Into the file that is there: its owner and its rights stay.
Set-Content -LiteralPath $file -Value @($rest)
'removed'
