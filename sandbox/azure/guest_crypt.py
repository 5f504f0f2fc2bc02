"""Password hashes as they stand in /etc/shadow: SHA-512 crypt ("$6$"), by Drepper's specification.

Python has no crypt(3) any more since 3.13. A hash of another scheme can't be checked here: that is an error, not a no.
"""

from hashlib import sha512
from hmac import compare_digest

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ROUNDS, _LEAST = 5000, 1000


def crypt(password: str, salt: str, rounds: int = 0) -> str:
    """The hash of a password: "$6$salt$…". `rounds` 0 is the default number, left out of the text."""
    key, seed, count = password.encode(), salt.encode()[:16], max(rounds, _LEAST) if rounds else _ROUNDS
    other = sha512(key + seed + key).digest()
    first = sha512(key + seed + _stretched(other, len(key)))
    bits = len(key)
    while bits:
        first.update(other if bits & 1 else key)
        bits >>= 1
    digest = first.digest()
    p = _stretched(sha512(key * len(key)).digest(), len(key))
    s = _stretched(sha512(seed * (16 + digest[0])).digest(), len(seed))
    for n in range(count):
        part = (p if n & 1 else digest) + (s if n % 3 else b"") + (p if n % 7 else b"")
        digest = sha512(part + (digest if n & 1 else p)).digest()
    return f"$6${f'rounds={count}$' if rounds else ''}{seed.decode()}${_encoded(digest)}"


def matches(password: str, hashed: str) -> bool:
    """Whether a password has this hash. Raises ValueError for a scheme that isn't SHA-512 crypt."""
    parts = hashed.split("$")
    if len(parts) not in {4, 5} or parts[:2] != ["", "6"]:
        raise ValueError(f"Only $6$ hashes can be checked in the sandbox; this begins {hashed[:3]!r}.")
    rounds = int(parts[2].removeprefix("rounds=")) if len(parts) == 5 else 0  # noqa: PLR2004
    return compare_digest(crypt(password, parts[-2], rounds), hashed)


def _stretched(digest: bytes, length: int) -> bytes:
    return (digest * (length // len(digest) + 1))[:length]


def _encoded(digest: bytes) -> str:
    triples = [(0, 21, 42)]
    while len(triples) < 21:  # noqa: PLR2004
        a, b, c = triples[-1]
        triples.append((b + 1, c + 1, a + 1))
    text = "".join(_base64(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in triples)
    return text + _base64(digest[63], 2)


def _base64(value: int, length: int) -> str:
    return "".join(_ALPHABET[value >> 6 * n & 63] for n in range(length))
