"""Currency codes of ISO 4217, and what people write instead of them. Pure."""

from __future__ import annotations

# The active codes (list one of ISO 4217, 2025), and those that left it since 2015, which old deals may still carry.
# Metals, funds and test codes are left out: nobody sells in them.
_LISTED = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY
COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS
INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP
MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR
SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV
WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG ANG BYR CUC HRK MRO SLL STD VEF ZWL
"""
CODES = frozenset(_LISTED.split())

_INSTEAD = {
    "TL": "TRY",
    "YTL": "TRY",
    "TRL": "TRY",
    "LIRA": "TRY",
    "₺": "TRY",
    "$": "USD",
    "US$": "USD",
    "DOLLAR": "USD",
    "DOLAR": "USD",
    "€": "EUR",
    "EURO": "EUR",
    "AVRO": "EUR",
    "£": "GBP",
    "STG": "GBP",
    "RMB": "CNY",
}


def meant(text: str) -> str | None:
    """Return the code that somebody who wrote `text` (`TL`, `€`, `eur`) most likely means, or None."""
    word = text.strip().upper()
    return word if word in CODES else _INSTEAD.get(word)
