"""E-mail addresses as they really come: header lists, encoded words, tags, wrapped forms, hostile input. Pure.

Nothing here raises on odd input: what is no address is left out.
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Iterable
from email.errors import HeaderParseError
from email.header import decode_header
from functools import lru_cache
from typing import Any

from leakwatch.core.text import clean_line

MAX_HEADER_CHARACTERS = 1_000_000  # a longer header is an attack; what lies beyond is not read
# The standard library's readers take time with the square of what they are given, on some input: they get no more.
MAX_ENCODED = 20_000  # characters of one text with encoded words: enough for 1,000 that are shown, three bytes each
MAX_PARSED = 20_000  # characters of an address header parsed as a whole; of a longer one each address by itself
MAX_ENTRY = 2_000  # characters of one address with its name
MAX_LOCAL = 64  # characters before the @ (RFC 5321 §4.5.3.1)
MAX_ADDRESS = 320  # 64 for the local part, @, 255 for the domain (RFC 5321 §4.5.3.1)
DOT_BLIND_DOMAINS = frozenset({"gmail.com", "googlemail.com"})  # the only ones known to ignore dots

# Newer Pythons refuse a whole header over one odd address unless told not to; older ones do not know the option.
_LENIENT: dict[str, Any] = {"strict": False} if getattr(email.utils, "supports_strict_parsing", False) else {}
_ADDRESS = re.compile(r"[^\s@<>,;:\\\"()\[\]]{1,64}@[^\s@<>,;:\\\"()\[\]]{1,255}")
_DOMAIN = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SRS = re.compile(r"srs[01][=+-](?:[^=]*=)*?[^=]{2,}=[^=]{2}=(?P<domain>[^=@]+)=(?P<local>[^@]+)@.+", re.IGNORECASE)
_PRVS = re.compile(r"(?:prvs|msprvs1)=[^=@]+=(?P<address>[^@]+@.+)", re.IGNORECASE)
# What nearly every header holds: printable words or one quoted string before <address>, or the address alone. The
# standard library, which takes ten times as long over them, comes to the same (tested on generated headers).
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9_-]+(?:[.+][A-Za-z0-9_-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_WORD = r"[^\s()<>@,:;\"\[\]\\]+"
_PLAIN_ENTRY = re.compile(
    rf'(?:(?:"(?P<quoted>[^"\\]*)"|(?P<words>{_WORD}(?: {_WORD})*)) )?<(?P<within>{_PLAIN_ADDRESS.pattern})>'
    rf"|(?P<bare>{_PLAIN_ADDRESS.pattern})"
)
_SPELLED = re.compile(r"([\w.+-]{1,64})\s+(?:at|\(at\)|\[at\])\s+([\w-]{1,63}(?:\.[\w-]{1,63}){1,8})", re.IGNORECASE)


def decode_words(value: str) -> str:
    """Return `value` with RFC 2047 encoded words decoded as well as can be, as one clean line."""
    if "=?" not in value:
        return clean_line(value)
    try:
        parts = decode_header(value[:MAX_ENCODED])
    except (HeaderParseError, ValueError):  # binascii.Error is a ValueError
        return clean_line(value[:MAX_ENCODED])
    return clean_line("".join(_decoded(part, charset) for part, charset in parts))


def _decoded(part: bytes | str, charset: str | None) -> str:
    if isinstance(part, str):
        return part
    for name in (charset, "utf-8", "cp1254"):
        if name is None:
            continue
        try:
            return part.decode(name.strip().lower())
        except (LookupError, UnicodeDecodeError, ValueError):
            continue
    return part.decode("latin-1")


def normalise(address: str) -> str | None:
    """Return `address` trimmed, unwrapped (`SRS`, `prvs`), lower case and with an ASCII domain; None if it is none."""
    if _PLAIN_ADDRESS.fullmatch(address):  # nothing to unwrap: what follows would come to the same
        plain = address.lower()
        local, _, domain = plain.partition("@")
        return plain if len(local) <= MAX_LOCAL and _DOMAIN.fullmatch(domain) else None
    text = clean_line(address).strip("<>'\" \t").removeprefix("mailto:")
    if len(text) > MAX_ADDRESS * 3 or "@" not in text:
        return None
    wrapped = _SRS.fullmatch(text)
    if wrapped is not None:
        text = f"{wrapped['local']}@{wrapped['domain']}"
    wrapped = _PRVS.fullmatch(text)
    if wrapped is not None:
        text = wrapped["address"]
    local, _, domain = text.rpartition("@")
    if local.startswith('"') and local.endswith('"') and len(local) > 2:
        local = local[1:-1]
    ascii_domain = _ascii(domain.rstrip("."))
    if ascii_domain is None or not local or len(local) > MAX_LOCAL or len(local) + len(ascii_domain) > MAX_ADDRESS:
        return None
    result = f"{local.lower()}@{ascii_domain}"
    return result if _ADDRESS.fullmatch(result) else None


def _ascii(domain: str) -> str | None:
    lower = domain.lower()
    if not lower.isascii():
        try:
            lower = lower.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    return lower if _DOMAIN.fullmatch(lower) else None


def parse_list(values: Iterable[str]) -> list[tuple[str, str]]:
    """Return (name, address) of every usable address in the given header values, in order, first mention only."""
    each = [_known(value) if len(value) <= MAX_PARSED else _usable(value) for value in values]
    return list(each[0] if len(each) == 1 else _once(pair for some in each for pair in some))


def _once(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return each address once, in order of first mention, with the first name it was given."""
    found: dict[str, str] = {}
    for name, address in pairs:
        if not found.get(address):
            found[address] = name
    return tuple((name, address) for address, name in found.items())


def _usable(value: str) -> tuple[tuple[str, str], ...]:
    """Return (name, address) of every usable address in one header value, each once."""
    found: list[tuple[str, str]] = []
    for name, address in (pair for entry in _entries(_unfolded(value)) for pair in _pairs(entry)):
        usable = normalise(address) or _from_name(name, address)
        if usable is None:
            continue
        shown = decode_words(name)
        found.append(("" if shown.lower() == usable else shown, usable))
    return _once(found)


# The same people write again and again, and reading their headers is the dearest part of a mail.
_known = lru_cache(maxsize=4096)(_usable)


def _entries(value: str) -> list[str]:
    """Return `value` in parts to be parsed one by one: whole if it is short, else cut at commas outside of quotes.

    Of an entry too long to be an address, the end is kept: there it stands, if there is one at all.
    """
    if len(value) <= MAX_PARSED:
        return [value]
    found: list[str] = []
    start = 0
    inside = escaped = False
    for place, character in enumerate(value):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            inside = not inside
        elif character == "," and not inside:
            found.append(value[start:place])
            start = place + 1
    found.append(value[start:])
    return [entry if len(entry) <= MAX_ENTRY else entry[-MAX_ADDRESS - 2 :] for entry in found if entry.strip()]


def _pairs(value: str) -> list[tuple[str, str]]:
    """Return (name, address) of everything in `value`, names still encoded."""
    plain = _plain_pairs(value)
    if plain is not None:
        return plain
    try:
        return email.utils.getaddresses([value], **_LENIENT)
    except (RecursionError, IndexError, ValueError):
        # Nested comments beyond the interpreter's stack are an attack: take what looks like an address, no names.
        return [("", found) for found in _ADDRESS.findall(value)]


def _plain_pairs(value: str) -> list[tuple[str, str]] | None:
    """Return what `value` holds if it is a list of plain entries and nothing else; None if it must be parsed."""
    if not value.isprintable():
        return None
    line = value.strip(" ")
    found: list[tuple[str, str]] = []
    at = 0
    while (entry := _PLAIN_ENTRY.match(line, at)) is not None:
        found.append((entry["quoted"] or entry["words"] or "", entry["within"] or entry["bare"]))
        at = entry.end()
        if at == len(line):
            return found
        if line[at] != ",":
            return None
        at += 2 if line.startswith(" ", at + 1) else 1
    return None


def _unfolded(value: str) -> str:
    line = value[:MAX_HEADER_CHARACTERS].replace("\r", " ").replace("\n", " ").replace("\x00", "")
    # List archives write `ann at example.com`.
    return line if "@" in line or len(line) > MAX_PARSED else _SPELLED.sub(r"\1@\2", line)


def _from_name(name: str, address: str) -> str | None:
    """Return an address hidden in the display name."""
    inside = _ADDRESS.search(clean_line(f"{name} {address}"))
    return normalise(inside.group()) if inside is not None else None


def domain_of(address: str) -> str:
    """Return what follows the last @, lower case; empty if there is no @."""
    return address.rpartition("@")[2].lower() if "@" in address else ""


def in_domain(domain: str, parent: str) -> bool:
    """Return whether `domain` is `parent` or lies under it (whole labels: `notacme.com` is not under `acme.com`)."""
    return domain == parent or domain.endswith("." + parent)


@lru_cache(maxsize=8_192)  # of each mail's people they are asked five times, and the same people write again
def variants(address: str) -> tuple[str, ...]:
    """Return `address` and the forms that reach the same person, best first: without its plus tag, without dots."""
    local, _, domain = address.rpartition("@")
    forms = [address]
    plain = local.split("+", 1)[0]
    if plain:
        forms.append(f"{plain}@{domain}")
    if domain in DOT_BLIND_DOMAINS:
        bare = plain.replace(".", "")
        forms += [f"{form}@{name}" for form in (plain, bare) if form for name in ("gmail.com", "googlemail.com")]
    return tuple(dict.fromkeys(forms))


def canonical(address: str) -> str:
    """Return the one form under which two spellings of the same mailbox compare equal."""
    local, _, domain = address.rpartition("@")
    plain = local.split("+", 1)[0] or local
    if domain in DOT_BLIND_DOMAINS:
        return f"{plain.replace('.', '') or plain}@gmail.com"
    return f"{plain}@{domain}"


class AddressPatterns:
    """A list of addresses, domains (subdomains count) and wildcards (`*@acme.com`, `legal-*@acme.com`)."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._addresses: set[str] = set()
        self._domains: set[str] = set()
        wild: list[str] = []
        for raw in patterns:
            pattern = raw.strip().lower()
            if not pattern:
                continue
            if pattern.startswith("*@"):
                self._domains.add(pattern[2:])
            elif "*" in pattern and "@" in pattern:
                wild.append(re.escape(pattern).replace(r"\*", ".*"))
            elif "@" in pattern.lstrip("@"):
                self._addresses.add(normalise(pattern) or pattern)
            else:
                self._domains.add(pattern.removeprefix("@").removeprefix("*."))
        self._wild = re.compile("|".join(wild)) if wild else None

    def __bool__(self) -> bool:
        return bool(self._addresses or self._domains or self._wild)

    def match(self, address: str) -> bool:
        """Return whether `address`, or the same mailbox without its plus tag, is on the list."""
        if not self:
            return False
        for form in (address, canonical(address)):
            if form in self._addresses or (self._wild is not None and self._wild.fullmatch(form)):
                return True
        domain = domain_of(address)
        while domain:
            if domain in self._domains:
                return True
            domain = domain.partition(".")[2]
        return False
