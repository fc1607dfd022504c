"""Invented people and companies, English and Turkish. Addresses are plain ASCII, as real ones mostly are."""

from __future__ import annotations

import re

TURKISH_FIRST = (
    "Ayşe", "Mehmet", "Zeynep", "Mustafa", "Elif", "Emre", "Çağla", "Oğuz", "Gülşen", "İbrahim", "Şule", "Burak",
    "Özge", "Umut", "Ceren", "Kağan", "Defne", "Yiğit", "Nazlı", "Serkan", "İrem", "Tuğba", "Volkan", "Pınar",
)  # fmt: skip
TURKISH_LAST = (
    "Yılmaz", "Kaya", "Demir", "Çelik", "Şahin", "Öztürk", "Arslan", "Doğan", "Kılıç", "Aydın", "Güneş", "Işık",
    "Koç", "Erdoğdu", "Başaran", "Ünal", "Taş", "Bozkurt", "Karaca", "Sönmez", "Akın", "Ergün", "Yavuz", "Özkan",
)  # fmt: skip
ENGLISH_FIRST = (
    "Alice", "Thomas", "Grace", "Oliver", "Hannah", "Samuel", "Ruth", "Edward", "Naomi", "Peter", "Laura", "Henry",
    "Clara", "Martin", "Julia", "Simon", "Emma", "Victor", "Irene", "Walter", "Nora", "Felix", "Diana", "Hugh",
)  # fmt: skip
ENGLISH_LAST = (
    "Harper", "Lane", "Whitfield", "Brooks", "Carver", "Dalton", "Ellis", "Fenwick", "Granger", "Holt", "Ingram",
    "Jarvis", "Kendall", "Lowell", "Mercer", "Norwood", "Osborne", "Prescott", "Radley", "Sutton", "Thorne",
    "Underhill", "Vance", "Weston",
)  # fmt: skip
TURKISH_FIRMS = (
    "Karaca", "Yıldız", "Çınar", "Boğaziçi", "Anadolu", "Ege", "Toros", "Güneş", "Uludağ", "Şirin", "Özgür", "Işıl",
    "Kuzey", "Marmara", "Ilgaz", "Çağdaş", "Öncü", "Sümer", "Hisar", "Bozdağ",
)  # fmt: skip
TURKISH_TRADES = (
    "Tekstil", "Lojistik", "Gıda", "İnşaat", "Makine", "Enerji", "Ambalaj", "Mobilya", "Kimya", "Otomotiv",
)  # fmt: skip
ENGLISH_FIRMS = (
    "Northgate", "Harbour", "Silverline", "Oakridge", "Bluewater", "Redstone", "Fairview", "Kingsway", "Lakeside",
    "Millbrook", "Stonebridge", "Westfield", "Ashford", "Brightwell", "Crestview", "Dunmore", "Eastgate",
    "Foxglove", "Greenfield", "Highland",
)  # fmt: skip
ENGLISH_TRADES = (
    "Textiles", "Logistics", "Foods", "Building", "Tools", "Energy", "Packaging", "Interiors", "Chemicals",
    "Motors",
)  # fmt: skip
TITLES = ("Buyer", "Operations Manager", "Satın Alma Müdürü", "CFO", "Genel Müdür", "Plant Manager", "Head of IT")
PRODUCTS = (("Press P200", "18000"), ("Conveyor C40", "7500"), ("Service plan", "1200"), ("Sensor kit", "450"))

_LETTERS = str.maketrans("çğıöşüÇĞİÖŞÜâîû", "cgiosuCGIOSUaiu")


def ascii_word(text: str) -> str:
    """Lower-case ASCII letters and digits of a name: `Çağla` → `cagla`."""
    return re.sub(r"[^a-z0-9]+", "", text.translate(_LETTERS).lower())


def firm(index: int) -> tuple[str, str, bool]:
    """(name, mail domain, Turkish?) of the n-th invented company; all different up to 800."""
    turkish = index % 2 == 0
    position = index // 2
    firms, trades = (TURKISH_FIRMS, TURKISH_TRADES) if turkish else (ENGLISH_FIRMS, ENGLISH_TRADES)
    first = firms[position % len(firms)]
    trade = trades[(position // len(firms) + position) % len(trades)]
    number = position // (len(firms) * len(trades))
    suffix = f" {number + 1}" if number else ""
    name = f"{first} {trade}{suffix} {'A.Ş.' if turkish else 'Ltd'}"
    domain = f"{ascii_word(first)}-{ascii_word(trade)}{number + 1 if number else ''}.example"
    return name, domain, turkish


def person(index: int, *, turkish: bool) -> tuple[str, str]:
    """(first, last) name of the n-th invented person; different up to 576 of each language."""
    firsts, lasts = (TURKISH_FIRST, TURKISH_LAST) if turkish else (ENGLISH_FIRST, ENGLISH_LAST)
    return firsts[index % len(firsts)], lasts[(index // len(firsts) + index * 7) % len(lasts)]
