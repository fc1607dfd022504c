"""What the columns that rules show as evidence are called, for people: in Tasks, posts and the Turkish CSV."""

from __future__ import annotations

from collections.abc import Mapping

from leakwatch.model import Text

# A column that is not here (of a customer's own rule) is called as the rule calls it, with spaces.
LABELS: Mapping[str, Text] = {
    "close_date": Text(en="Close date", tr="Kapanış tarihi"),
    "stage_name": Text(en="Stage", tr="Aşama"),
    "stage_meaning": Text(en="That means", tr="Anlamı"),
    "stage_changed_on": Text(en="Stage since", tr="Aşamaya geçiş"),
    "amount": Text(en="Amount", tr="Tutar"),
    "reference": Text(en="Reference", tr="Referans tutar"),
    "basis": Text(en="Reference is", tr="Referansın kaynağı"),
    "direction": Text(en="Deviation", tr="Sapma"),
    "last_touch_date": Text(en="Last touch", tr="Son temas"),
    "touch_source": Text(en="Kind of touch", tr="Temas türü"),
    "status": Text(en="Status", tr="Durum"),
    "company": Text(en="Company", tr="Şirket"),
    "held_on": Text(en="Held on", tr="Toplantı günü"),
    "waited_hours": Text(en="Working hours since", tr="Geçen çalışma saati"),
    "guests": Text(en="Contacts and leads in it", tr="Katılan kişi ve adaylar"),
    "count": Text(en="Records without it", tr="Alanı boş kayıt"),
    "population": Text(en="Records examined", tr="İncelenen kayıt"),
}

MONEY = frozenset({"amount", "reference", "deviation"})  # in the currency of the finding


def label(column: str) -> Text:
    """Return what `column` is called in English and Turkish."""
    plain = column.replace("_", " ")
    return LABELS.get(column, Text(en=plain, tr=plain))
