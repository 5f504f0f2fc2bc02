# Says who can log in to this machine, and which keys are in files that were changed lately. Changes nothing.
#
# SINCE: from when on a change counts, in seconds since 1970. A line each, its fields parted by tabs:
#   u NAME UID DAY BORN   an account that a password opens. DAY: when that was set, in days since 1970.
#                         BORN: when its home was made, in seconds; 0 where that is not known.
#   k NAME PRINT CHANGED COMMENT   a key in a file that was changed since then. COMMENT in base64.
#   f NAME PRINT          a key of an account in a file that was not.

born() {
  seconds=$(stat -c %W -- "$1" 2> /dev/null || true)
  case $seconds in '' | *[!0-9]*) seconds=0 ;; esac
  printf %s "$seconds"
}

# The later of the two times of a file: one of them anybody can set.
changed() {
  modified=$(stat -L -c %Y -- "$1")
  status=$(stat -L -c %Z -- "$1")
  if [ "$status" -gt "$modified" ]; then printf %s "$status"; else printf %s "$modified"; fi
}

keys() { # NAME FILE
  at=$(changed "$2")
  head -c 100000 "$2" | while IFS= read -r line || [ -n "$line" ]; do
    key=$(key_in "$line")
    if [ -z "$key" ]; then continue; fi
    if [ "$at" -lt "$SINCE" ]; then
      printf 'f\t%s\t%s\n' "$(word "$1")" "$(print_of "$key")"
      continue
    fi
    said=${line#*"$key"}
    printf 'k\t%s\t%s\t%s\t%s\n' "$(word "$1")" "$(print_of "$key")" "$at" \
      "$(printf %s "${said# }" | head -c 24 | base64 | tr -d '\n')"
  done
}

list() {
  while IFS=: read -r name _ uid _ _ home _; do
    case $uid in '' | *[!0-9]*) continue ;; esac
    if usable "$(hash_of "$name")"; then
      day=$(awk -F: -v name="$name" '$1 == name { print $3 + 0; exit }' /etc/shadow)
      printf 'u\t%s\t%s\t%s\t%s\n' "$(word "$name")" "$uid" "$day" "$(born "$home")"
    fi
    key_files "$name" "$home" | while IFS= read -r file; do keys "$name" "$file"; done
  done < /etc/passwd
}

: "${SINCE:?}"
found=$(list)
printf 'accounts\n'
if [ -n "$found" ]; then printf '%s\n' "$found"; fi
printf 'end\n'
