# Gives accounts new passwords, and says which got none.
#
# PAIRS: "name:password", parted by semicolons. It comes as a protected parameter and goes to chpasswd by a pipe alone.

: "${PAIRS:?}"
pairs=$PAIRS
unset PAIRS
names=';'
count=0
IFS=';'
for pair in $pairs; do
  name=${pair%%:*}
  names=$names$name\;
  before=$(hash_of "$name")
  # Locked or deleted since it was listed: a new password would open it again.
  if ! usable "$before"; then
    printf 'closed %s\n' "$(word "$name")"
    continue
  fi
  printf '%s\n' "$pair" | chpasswd > /dev/null 2>&1 || true
  if [ "$(hash_of "$name")" = "$before" ]; then
    printf 'failed %s\n' "$(word "$name")"
  else
    count=$((count + 1))
  fi
done
while IFS=: read -r name _; do
  case $names in *";$name;"*) continue ;; esac
  if usable "$(hash_of "$name")"; then printf 'new %s\n' "$(word "$name")"; fi
done < /etc/passwd
printf 'set %s\n' "$count"
