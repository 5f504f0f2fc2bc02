# shellcheck shell=bash
# What useradd, usermod, userdel, groupadd, gpasswd, chpasswd, passwd and chage have in common: the four files.
# Nothing here locks a file: one script at a time runs in a guest.
tool=${0##*/}

die() {
  echo "$tool: $2" >&2
  exit "$1"
}

# field FILE NAME N: the Nth field of an entry.
field() {
  awk -F: -v n="$2" -v k="$3" '$1 == n { print $k }' "$1"
}

has() {
  [ -n "$(field "$1" "$2" 1)" ]
}

# put FILE NAME N VALUE: change one field of an entry. The value comes by environment, for awk reads escapes in -v.
put() {
  local new
  new=$(value=$4 awk -F: -v OFS=: -v n="$2" -v k="$3" '$1 == n { $k = ENVIRON["value"] } { print }' "$1") || exit 1
  printf '%s\n' "$new" > "$1"
}

# drop FILE NAME: take an entry away.
drop() {
  local new
  new=$(awk -F: -v n="$2" '$1 != n' "$1")
  printf '%s\n' "$new" > "$1"
}

# join USER GROUP and leave USER GROUP: membership that stands in /etc/group.
join() {
  local members
  has /etc/group "$2" || die 6 "group '$2' does not exist"
  members=$(field /etc/group "$2" 4)
  case ",$members," in *",$1,"*) return ;; esac
  put /etc/group "$2" 4 "${members:+$members,}$1"
}

leave() {
  put /etc/group "$2" 4 "$(field /etc/group "$2" 4 | tr , '\n' | grep -vxF -- "$1" | paste -sd, -)"
}

# leave_all USER: out of every group.
leave_all() {
  local group
  for group in $(awk -F: -v u="$1" '("," $4 ",") ~ ("," u ",") { print $1 }' /etc/group); do leave "$1" "$group"; done
}

# free FILE LEAST: the lowest number above all in use.
free() {
  awk -F: -v low="$2" '$3 >= low && $3 < 60000 && $3 >= top { top = $3 + 1 } END { print top ? top : low }' "$1"
}

# The model keeps no clear text: what stands after $plain$ is hashed when the script has ended.
sealed() {
  printf '$plain$%s' "$(printf %s "$1" | base64 -w0)"
}

today() {
  echo $(($(cat /.host/now) / 86400))
}
