# What the scripts about accounts have in common. It is put before each of them.
set -euf
LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077

# A name as it is, or behind an equals sign in base64: what a machine says may be anything.
word() {
  case $1 in
    '' | [!A-Za-z_]* | *[!A-Za-z0-9_.-]*) printf '=%s' "$(printf %s "$1" | head -c 48 | base64 | tr -d '\n')" ;;
    *) printf %s "$1" ;;
  esac
}

# The password field of an account; nothing for one without an entry.
hash_of() {
  awk -F: -v name="$1" '$1 == name { print "=" $2; exit }' /etc/shadow
}

# Whether a password opens an account: neither locked nor impossible.
usable() {
  case $1 in '' | '=!'* | '=*'* | '=x') return 1 ;; esac
}

# The files that the SSH server reads an account's keys from: NAME HOME. Regular files only: others could make us wait.
key_files() {
  patterns=$(sed -n 's/^[[:space:]]*AuthorizedKeysFile[[:space:]][[:space:]]*//p' /etc/ssh/sshd_config 2> /dev/null || true)
  for pattern in ${patterns:-.ssh/authorized_keys .ssh/authorized_keys2}; do
    case $pattern in
      none) continue ;;
      %h/*) path=$2/${pattern#%h/} ;;
      /*) path=$pattern ;;
      *) path=$2/$pattern ;;
    esac
    case $path in *%u*) path=${path%%"%u"*}$1${path#*%u} ;; esac
    if [ -f "$path" ]; then printf '%s\n' "$path"; fi
  done
}

# The key in a line of authorized_keys, in base64; nothing for a comment. Options may stand before it.
key_in() {
  case $1 in '' | '#'*) return ;; esac
  for part in $1; do
    case $part in AAAA*) printf %s "$part"; return ;; esac
  done
}

# How a key is called in all that is said of it: the first half of its SHA-256.
print_of() {
  printf %s "$1" | base64 -d 2> /dev/null | sha256sum | head -c 32
}
