#!/bin/bash
# A full antimalware scan with whichever scanner is there: Defender for Endpoint, else ClamAV.
#
# Prints, for vms/scanning.py to read, one a line:
#   scanner <mdatp|clamav|none>
#   version <base64>
#   excluded <base64>         what the scanner was told not to look at, up to five
#   found <number>
#   threat <base64 of its name> <base64 of a path>   up to twelve: a run command shows 4 KB
#   end
# Names and paths are whatever an intruder likes them to be: encoded, they stay on their line.
set -u
export LC_ALL=C

MOST=12

encoded() {
  printf '%s' "$1" | head -c "$2" | base64 -w 0
}

threat() {
  printf 'threat %s %s\n' "$(encoded "$1" 48)" "$(encoded "$2" 160)"
}

excluded() {
  printf 'excluded %s\n' "$(encoded "$1" 120)"
}

defender() {
  local listed one name path found=0 threats=()
  echo 'scanner mdatp'
  printf 'version %s\n' "$(encoded "definitions $(mdatp health --field definitions_status 2>/dev/null)" 80)"
  while IFS= read -r one; do
    [ -z "$one" ] || excluded "$one"
  done < <(mdatp exclusion list --output json 2>/dev/null | tr ',' '\n' | sed -n 's/.*"\(path\|name\|extension\)" *: *"\([^"]*\)".*/\2/p' | head -n 5)
  if ! mdatp scan full >/dev/null; then
    echo 'failed'
    return
  fi
  # An object a line: braces stand for nothing else but where a name holds some, and then a threat counts twice.
  listed=$(mdatp threat list --output json | tr '{' '\n')
  while IFS= read -r one; do
    name=$(printf '%s' "$one" | sed -n 's/.*"name" *: *"\([^"]*\)".*/\1/p')
    [ -n "$name" ] || continue
    path=$(printf '%s' "$one" | sed -n 's/.*"resources" *: *\["\([^"]*\)".*/\1/p')
    found=$((found + 1))
    [ "$found" -gt "$MOST" ] || threats+=("$(threat "$name" "$path")")
  done <<<"$listed"
  echo "found $found"
  [ "${#threats[@]}" -eq 0 ] || printf '%s\n' "${threats[@]}"
  echo 'end'
}

clam() {
  local line found=0 code threats=() out
  echo 'scanner clamav'
  printf 'version %s\n' "$(encoded "$(clamscan -V)" 80)"
  out=$(mktemp)
  clamscan -r -i --no-summary --exclude-dir=^/proc --exclude-dir=^/sys --exclude-dir=^/dev / >"$out" 2>/dev/null
  code=$?
  # 0: nothing; 1: found something; 2: some files could not be read, which in a running system is always so.
  if [ "$code" -gt 2 ]; then
    rm -f "$out"
    echo 'failed'
    return
  fi
  while IFS= read -r line; do
    case $line in
      *': '*' FOUND') ;;
      *) continue ;;
    esac
    line=${line% FOUND}
    found=$((found + 1))
    [ "$found" -gt "$MOST" ] || threats+=("$(threat "${line##*: }" "${line%: *}")")
  done <"$out"
  rm -f "$out"
  echo "found $found"
  [ "${#threats[@]}" -eq 0 ] || printf '%s\n' "${threats[@]}"
  echo 'end'
}

if command -v mdatp >/dev/null; then
  defender
elif command -v clamscan >/dev/null; then
  clam
else
  echo 'scanner none'
  echo 'end'
fi
