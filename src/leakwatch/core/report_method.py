"""How the numbers of a report are made, in words: shown at its end, so that nobody has to guess a definition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from leakwatch.core.report_inputs import RuleInfo
from leakwatch.core.report_values import both
from leakwatch.model import Text

_SHARED: tuple[tuple[str, Text], ...] = (
    (
        "once_per_record",
        Text(
            en="Each record counts once. When several rules hit the same deal, its largest amount is taken, so a "
            "total can be smaller than the sum of the rules.",
            tr="Her kayıt bir kez sayılır. Aynı fırsat birden fazla kurala takılırsa en büyük tutarı alınır; bu "
            "nedenle toplam, kuralların toplamından küçük olabilir.",
        ),
    ),
    (
        "currencies",
        Text(
            en="Amounts are never added up or compared across currencies: every currency has its own figure. The "
            "main currency is shown first. Severity limits on amounts are in the company's currency: others are "
            "converted with the exchange rates in the settings, or keep the rule's own severity.",
            tr="Farklı para birimlerindeki tutarlar toplanmaz ve karşılaştırılmaz: her para biriminin ayrı bir "
            "toplamı vardır. Ana para birimi önce gösterilir. Tutara bağlı önem sınırları şirketin para birimindedir: "
            "diğer tutarlar ayarlardaki kurlarla çevrilir, kuru yoksa kuralın kendi önem derecesi kullanılır.",
        ),
    ),
    (
        "kinds",
        Text(
            en="Money at risk: open business that may still be saved. Lost, suspended, abandoned: deals that are gone "
            "or set aside. Price deviation: the distance between the closing price and the reference price, counted "
            "by size in either direction. A negative amount of another kind counts as zero.",
            tr="Risk altındaki tutar: hâlâ kurtarılabilecek açık işler. Kaybedilen, askıda, vazgeçilen: artık "
            "kaybedilmiş ya da bir kenara konmuş işler. Fiyat sapması: kapanış fiyatı ile referans fiyat arasındaki "
            "fark; yönüne bakılmaksızın büyüklüğüyle sayılır. Diğer türlerde eksi tutar sıfır sayılır.",
        ),
    ),
    (
        "process",
        Text(
            en="A field that a rule needs and that is empty in nearly every record it examines (95 % unless the rule "
            "says otherwise, of 20 or more) is one process finding with its count. It is listed apart and enters no "
            "total. Where the empty field is itself what the rule reports, it stands for the single findings.",
            tr="Bir kuralın gerek duyduğu alan, incelediği kayıtların neredeyse hepsinde boşsa (kural başka bir oran "
            "söylemedikçe en az 20 kaydın %95’inde) bu, kayıt sayısıyla birlikte tek bir süreç bulgusudur. Ayrı "
            "listelenir ve toplamlara girmez. Kuralın bildirdiği şey zaten bu alanın boş olmasıysa, tek tek "
            "bulguların yerine geçer.",
        ),
    ),
    (
        "failure",
        Text(
            en="A rule that failed or could not run is named as such. Its silence is never read as “all clear”, "
            "and a rule that found no record to examine is shown as skipped.",
            tr="Hata veren veya çalıştırılamayan kural adıyla belirtilir. Böyle bir kuralın sonuç vermemesi “sorun "
            "yok” anlamına gelmez; inceleyecek kayıt bulamayan kural atlanmış olarak gösterilir.",
        ),
    ),
)

_EXPORT: tuple[tuple[str, Text], ...] = (
    (
        "stateless",
        Text(
            en="This audit looked once at exported files. It knows no earlier week: every finding is shown as it "
            "stood on the as-of date, with no baseline, no history and no check against mailboxes.",
            tr="Bu denetim, dışa aktarılan dosyalara tek seferlik bakar ve önceki haftaları bilmez: bulgular, veri "
            "tarihindeki hâliyle gösterilir. Başlangıç durumu, geçmiş ve e-posta kutularıyla karşılaştırma "
            "yoktur.",
        ),
    ),
)

_WEEKLY: tuple[tuple[str, Text], ...] = (
    (
        "events",
        Text(
            en="New: first confirmed in the week. What existed when a rule first ran is baseline: it counts in the "
            "totals but not as new. Fixed: gone in consecutive complete runs on fresh data. Findings that ended "
            "because a rule changed or a record was deleted are not counted as fixed.",
            tr="Yeni: bu hafta ilk kez doğrulanan bulgu. Bir kural ilk çalıştığında var olan bulgular başlangıç "
            "durumudur; toplamlara girer, yeni sayılmaz. Düzeltilen: güncel verilerle art arda eksiksiz "
            "çalışmalarda artık görülmeyen bulgu. Kural değiştiği veya kayıt silindiği için kapanan bulgular "
            "düzeltilmiş sayılmaz.",
        ),
    ),
    (
        "recovered",
        Text(
            en="Taken out of risk: money at risk of the records whose findings were fixed in the week, once per "
            "record, and only if nothing else puts the same record at risk. It is not yet revenue.",
            tr="Riskten çıkan tutar: bulguları bu hafta düzeltilen kayıtların risk altındaki tutarı. Her kayıt bir "
            "kez ve ancak başka bir bulgu aynı kaydı risk altında tutmuyorsa sayılır. Henüz gelir değildir.",
        ),
    ),
    (
        "median",
        Text(
            en="Median days to fix: from the day leakwatch first saw the problem to the day it was confirmed as "
            "fixed, over the findings fixed in the week.",
            tr="Ortanca düzeltme süresi: leakwatch’ın sorunu ilk gördüğü günden düzeltildiğinin doğrulandığı güne "
            "kadar geçen süre; bu hafta düzeltilen bulgular üzerinden hesaplanır.",
        ),
    ),
    (
        "unproven",
        Text(
            en="Unproven: a “no activity” finding whose owner's mailbox was not read in the time in question. It "
            "is listed but enters no total. Held: the last run could not look; the finding stays as it was.",
            tr="Kanıtlanmamış: sahibinin e-posta kutusu ilgili dönemde okunamadığı için doğrulanamayan “aktivite "
            "yok” bulgusu. Listelenir ama toplamlara girmez. Bekletilen: son çalışmada bakılamadığı için olduğu "
            "gibi bırakılan bulgu.",
        ),
    ),
    (
        "trend",
        Text(
            en="The trend shows what was open at the end of each week, with the amount last seen on each record. A "
            "mark shows where a rule or its thresholds changed: a step there is not progress.",
            tr="Eğilim, her hafta sonunda açık olan bulguları, kayıtların son görülen tutarıyla gösterir. "
            "İşaretler, bir kuralın veya eşiklerinin değiştiği yeri belirtir: oradaki sıçrama iyileşme veya "
            "kötüleşme sayılmaz.",
        ),
    ),
)


def method(kind: str, rules: Iterable[RuleInfo]) -> list[dict[str, Any]]:
    """Return the definitions that hold for a report of `kind`, then the readings its rules declare."""
    lines = [{"code": code, **both(words)} for code, words in (*_SHARED, *(_EXPORT if kind != "weekly" else _WEEKLY))]
    readings = [{"code": f"reading:{rule.id}", **both(rule.reading)} for rule in rules if rule.reading is not None]
    return lines + readings
