"""Letters that were lost or mangled on the way: what may be meant. For proposing to a person only. Pure.

Nothing is ever matched by likeness: Sinan and Sınan, or two companies called Yıldız, are different ones until somebody
who knows them says otherwise.
"""

from __future__ import annotations

import re

from leakwatch.core.names import fold

# What Turkish letters become where cp1254 is read as Latin-1; the two differ in these six alone (Unicode's CP1254.TXT).
_MANGLED = str.maketrans("ÐÝÞðýþ", "ĞİŞğış")
_NOT_TURKISH = re.compile("[ÁÉÍÓÚÆØÅáéíóúæøå]")  # Icelandic and Faroese have ð, ý and þ of their own, and these too
_SIGNS = re.compile("[ÐÝÞðýþ]")
_UTF8_SIGNS = re.compile("[ÃÄÅ][\u0080-\u00ff\u0152-\u2122]")  # two bytes of UTF-8, each read as a letter
_WRONGLY_READ_AS = ("cp1252", "cp1254", "latin-1")

# Legal forms and what stands before them, folded (Turkish Commercial Code 6102, articles 43 and 124; usual ones).
_LEGAL_FORMS = re.compile(
    r"\b(?:"
    r"(?:(?:sanayi?|san|ticaret|tic|ithalat|ith|ihracat|ihr|pazarlama|paz|ve) )*"
    r"(?:limited sirketi|anonim sirketi|ltd sti|ltd|as|a s|a o|koll sti|kom sti|sirketi|sti)"
    r"|gmbh|ag|kg|ohg|se|inc|llc|llp|corp|corporation|co|company|limited|plc|sa|sas|sarl|srl|spa|s p a|bv|b v|nv|oy|ab"
    r")$"
)


def mended(text: str) -> str | None:
    """Return what was meant by `text` if Turkish was read in the wrong character set, or None if nothing shows that.

    `Yýldýrým` may be `Yıldırım` (cp1254 read as Latin-1), `ÅžiÅŸli` `Şişli` (UTF-8 read as cp1252).
    """
    if _UTF8_SIGNS.search(text):
        for charset in _WRONGLY_READ_AS:
            try:
                return text.encode(charset).decode("utf-8")
            except UnicodeError:
                continue
    if _SIGNS.search(text) and not _NOT_TURKISH.search(text):
        return text.translate(_MANGLED)
    return None


def plain_address(address: str) -> str | None:
    """Return the address that may be meant by one with letters of no usual address (`ı`, `ş`), or None if it has none.

    RFC 6531 allows such letters; hardly a mail server does. In a CRM they are nearly always a Turkish keyboard's slip.
    """
    if address.isascii():
        return None
    meant = mended(address) or address
    local, _, domain = meant.rpartition("@")
    return "@".join(_plain(part) for part in (local, domain))


def _plain(part: str) -> str:
    return "".join(letter if letter.isascii() else fold(letter) for letter in part).lower()


def company_key(name: str) -> str:
    """Return a company's name without its legal form, folded and without blanks, to be compared with others.

    `Yıldırım Makina San. ve Tic. A.Ş.` and `YILDIRIM MAKİNA LTD. ŞTİ.` are both `yildirimmakina`.
    """
    words = fold(mended(name) or name)
    while (shorter := _LEGAL_FORMS.sub("", words).strip()) and shorter != words:
        words = shorter
    return words.replace(" ", "")
