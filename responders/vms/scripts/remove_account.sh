# Takes away one account (its home stays), or one key of one.
#
# NAME: the account. KEY: what print_of says of the key; "-" for the account itself.

: "${NAME:?}" "${KEY:?}"
home=$(awk -F: -v name="$NAME" '$1 == name { print $6; exit }' /etc/passwd)
if [ -z "$home" ]; then
  echo gone
  exit 0
fi
if [ "$KEY" = - ]; then
  usermod -L -e 1 "$NAME"
  pkill -KILL -u "$NAME" || true
  userdel "$NAME" > /dev/null 2>&1 || userdel -f "$NAME" > /dev/null
  echo removed
  exit 0
fi
rest=$(mktemp)
key_files "$NAME" "$home" | while IFS= read -r file; do
  : > "$rest"
  hits=0
  while IFS= read -r line || [ -n "$line" ]; do
    key=$(key_in "$line")
    if [ -n "$key" ] && [ "$(print_of "$key")" = "$KEY" ]; then
      hits=1
    else
      printf '%s\n' "$line" >> "$rest"
    fi
  done < "$file"
  # Into the file that is there: owner and mode stay.
  if [ "$hits" = 1 ]; then cat "$rest" > "$file"; fi
done
rm -f "$rest"
echo removed
