# A full scan with Microsoft Defender Antivirus. Prints what scan.sh prints, for vms/scanning.py to read.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

function ConvertTo-Line([string] $Text, [int] $Most) {
    $short = $Text.Substring(0, [Math]::Min($Text.Length, $Most))
    [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($short))
}

if (-not (Get-Command -Name Start-MpScan -ErrorAction SilentlyContinue)) {
    'scanner none'
    'end'
    exit 0
}
$status = Get-MpComputerStatus
if (-not $status.AntivirusEnabled) {
    'scanner none'
    'end'
    exit 0
}
'scanner defender'
"version $(ConvertTo-Line "$($status.AMProductVersion) signatures $($status.AntivirusSignatureVersion)" 80)"
# What an intruder told it not to look at, it does not look at.
$preference = Get-MpPreference
$excluded = @($preference.ExclusionPath) + @($preference.ExclusionExtension) + @($preference.ExclusionProcess)
$excluded | Where-Object { $_ } | Select-Object -First 5 | ForEach-Object { "excluded $(ConvertTo-Line $_ 120)" }
Start-MpScan -ScanType FullScan
$names = @{}
Get-MpThreat | ForEach-Object { $names["$($_.ThreatID)"] = $_.ThreatName }
$found = @(Get-MpThreatDetection)
"found $($found.Count)"
$found | Select-Object -First 12 | ForEach-Object {
    "threat $(ConvertTo-Line $names["$($_.ThreatID)"] 48) $(ConvertTo-Line @($_.Resources)[0] 160)"
}
'end'
