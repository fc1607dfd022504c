"""Invented companies with invented leaks, for tests of the report and for looking at it. Nothing here is real."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from leakwatch.core.report import (
    CaptureHealth,
    ExceptionEntry,
    Note,
    OrgFacts,
    ReportContext,
    ReportOptions,
    RuleInfo,
    RuleRun,
    weekly,
)
from leakwatch.model import (
    Finding,
    FindingStatus,
    Mode,
    Proof,
    RuleOutcome,
    RuleRow,
    Severity,
    Text,
    Transition,
)

AS_OF = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)

STALE_LEAD = RuleInfo(
    id="lead_stale",
    version=1,
    title=Text(en="Lead nobody has touched", tr="İlgilenilmeyen müşteri adayı"),
    why=Text(
        en="A lead that waits for a month has usually bought elsewhere.",
        tr="Bir ay bekleyen aday çoğu zaman başka yerden satın almıştır.",
    ),
    fix=Text(
        en="Call or write to the lead, or set it to Unqualified with a reason.",
        tr="Adayı arayın veya yazın; ilgilenmiyorsa nedenini belirterek “Uygun değil” yapın.",
    ),
    severity=Severity.MEDIUM,
    mode=Mode.ACT,
    sobject="Lead",
    category="pipeline_hygiene",
    params={"untouched_days": 30},
)
OVERDUE = RuleInfo(
    id="opp_close_overdue",
    version=3,
    title=Text(en="Open deal past its close date", tr="Kapanış tarihi geçmiş açık fırsat"),
    why=Text(
        en="A close date in the past inflates the forecast and hides deals nobody works on.",
        tr="Geçmiş kapanış tarihi tahmini şişirir ve kimsenin ilgilenmediği fırsatları gizler.",
    ),
    fix=Text(
        en="Move the close date to the date agreed with the buyer, or close the deal with a reason.",
        tr="Kapanış tarihini alıcıyla kararlaştırılan güne alın veya fırsatı nedenini yazarak kapatın.",
    ),
    severity=Severity.MEDIUM,
    mode=Mode.ACT,
    sobject="Opportunity",
    category="pipeline_hygiene",
    params={"grace_days": 14, "min_amount": Decimal("0")},
)
NO_REASON = RuleInfo(
    id="opp_lost_no_reason",
    version=1,
    title=Text(en="Lost deal without a reason", tr="Nedeni yazılmamış kayıp fırsat"),
    why=Text(en="What is not written down can't be learned from.", tr="Yazılmayan nedenden ders çıkarılamaz."),
    fix=Text(en="Enter why the deal was lost.", tr="Fırsatın neden kaybedildiğini girin."),
    severity=Severity.LOW,
    mode=Mode.NOTIFY,
    sobject="Opportunity",
    category="data_quality",
    params={"closed_within_days": 90},
)
PRICE = RuleInfo(
    id="opp_price_deviation",
    version=2,
    title=Text(en="Won far from its reference price", tr="Referans fiyattan uzak kazanılan fırsat"),
    why=Text(
        en="A price far below the reference is margin given away; far above, the reference or the amount is wrong.",
        tr="Referansın çok altındaki fiyat kaybedilen marjdır; çok üstündeyse referans ya da tutar yanlıştır.",
    ),
    fix=Text(
        en="Check the quote: correct the amount, or have the discount approved.",
        tr="Teklifi kontrol edin: tutarı düzeltin veya indirimi onaylatın.",
    ),
    severity=Severity.HIGH,
    mode=Mode.REPORT,
    sobject="Opportunity",
    category="price",
    params={"min_ratio": Decimal("0.50"), "max_ratio": Decimal("1.25")},
    reading=Text(
        en="Price deviation: “50 % less or 125 % more” is read as closing below 0.50 or above 1.25 times the "
        "reference amount in the same currency. Reference: the budget field, else the list price of the lines, else "
        "the first amount in the history; each finding names the one used.",
        tr="Fiyat sapması: “%50 daha az ya da %125 daha fazla” ifadesi, aynı para birimindeki referans tutarın 0,50 "
        "katının altında veya 1,25 katının üstünde kapanış olarak yorumlanır. Referans: bütçe alanı, yoksa satırların "
        "liste fiyatı, yoksa geçmişteki ilk tutardır; her bulgu hangisinin kullanıldığını belirtir.",
    ),
)
NO_FOLLOW_UP = RuleInfo(
    id="meeting_no_follow_up",
    version=1,
    title=Text(en="Meeting without follow-up", tr="Takibi yapılmayan toplantı"),
    why=Text(en="Momentum is lost in two days.", tr="İki günde ilgi kaybolur."),
    fix=Text(en="Send the summary and agree the next step.", tr="Özeti gönderin ve sonraki adımı kararlaştırın."),
    severity=Severity.HIGH,
    mode=Mode.REPORT,
    sobject="Event",
    category="follow_up",
)
NEXT_STEP = RuleInfo(
    id="opp_next_step_empty",
    version=1,
    title=Text(en="Open deal without a next step", tr="Sonraki adımı olmayan açık fırsat"),
    why=Text(en="A deal without a next step waits for the buyer.", tr="Sonraki adımı olmayan fırsat alıcıyı bekler."),
    fix=Text(en="Enter the next step.", tr="Sonraki adımı girin."),
    severity=Severity.LOW,
    mode=Mode.REPORT,
    sobject="Opportunity",
    category="data_quality",
)
RULES = (STALE_LEAD, OVERDUE, NO_REASON, PRICE, NO_FOLLOW_UP, NEXT_STEP)

MANAGERS = {"005M00000000001AAA": "Ingrid Solberg", "005M00000000002AAA": "Tomás Okafor"}
OWNERS = (
    ("005R00000000001AAA", "Çağla Işık", 0),
    ("005R00000000002AAA", "Ian Whitcombe", 0),
    ("005R00000000003AAA", "Şule Ünal", 0),
    ("005R00000000004AAA", "Marta Kowalczyk", 1),
    ("005R00000000005AAA", "Özgür Güneş", 1),
    ("005R00000000006AAA", "Dele Adeyemi", 1),
)
TR_MANAGERS = {"005M00000000001AAA": "Ümit Çelebi", "005M00000000002AAA": "İpek Yurdakul"}
COMPANIES_EN = (
    "Halden Marine", "Quillfeather Press", "Østby Timber", "Brackwater Foods", "Lumen & Loam", "Vantry Rail",
    "Castellan Glass", "Fjordlink Cold Storage", "Pellworth Dairy", "Saltmarsh Energy", "Redgate Ceramics",
    "Tarn Valley Hospitals",
)  # fmt: skip
COMPANIES_TR = (
    "Ilgaz Yapı A.Ş.", "İnci Lojistik", "Çınar Tekstil", "Şahika Gıda", "Öztürk Makine", "Ülker Vadisi Enerji",
    "Güneşli Plastik", "Ağrı Soğutma", "Irmak Cam Sanayi", "Kızılırmak Tarım", "Zümrüt Seramik", "Dağlıca Orman",
)  # fmt: skip


def _message(rule: RuleInfo, days: int, currency: str) -> Text:
    if rule is OVERDUE:
        return Text(en=f"Close date passed {days} days ago", tr=f"Kapanış tarihi {days} gün önce geçti")
    if rule is STALE_LEAD:
        return Text(en=f"No touch for {days} days", tr=f"{days} gündür temas yok")
    if rule is NO_REASON:
        return Text(en="Closed as lost, reason is empty", tr="Kaybedildi olarak kapatıldı, neden boş")
    return Text(
        en="Sold at 0.41 of its list price (basis: list price of the lines)",
        tr="Liste fiyatının 0,41 katına satıldı (dayanak: satırların liste fiyatı)",
    )


def sample_findings(language: str, currency: str, count: int = 150) -> tuple[list[Finding], list[Transition]]:
    """Return findings over twelve weeks with the transitions that made them so; the same on every call."""
    chance = random.Random(20261122)
    companies = COMPANIES_TR if language == "tr" else COMPANIES_EN
    kinds = {OVERDUE.id: "at_risk", STALE_LEAD.id: "none", NO_REASON.id: "lost", PRICE.id: "deviation"}
    findings: list[Finding] = []
    transitions: list[Transition] = []
    for number in range(count):
        rule = chance.choices((OVERDUE, STALE_LEAD, NO_REASON, PRICE), (5, 3, 2, 1))[0]
        owner_id, owner_name, team = chance.choice(OWNERS)
        week = max(0, chance.randrange(-3, 12))
        born = NOW - timedelta(weeks=11 - week, hours=chance.randrange(1, 140))
        baseline = week == 0
        impact = Decimal(chance.randrange(4_000, 260_000)) + Decimal(chance.choice(("0.00", "0.50", "0.90")))
        amount = None if kinds[rule.id] == "none" else impact
        severity = (
            Severity.CRITICAL
            if kinds[rule.id] == "at_risk" and impact > 230_000
            else Severity.HIGH
            if kinds[rule.id] == "at_risk" and impact > 120_000
            else rule.severity
        )
        company = companies[chance.randrange(len(companies))]
        item = ("Hat genişletme", "Yıllık bakım", "Pilot") if language == "tr" else ("Expansion", "Renewal", "Pilot")
        days = 15 + (NOW - born).days + chance.randrange(30)
        found = Finding(
            fingerprint=f"{number:032x}",
            rule_id=rule.id,
            rule_version=rule.version,
            sobject=rule.sobject,
            record_id=f"{'00Q' if rule is STALE_LEAD else '006'}S{number:011d}AAA",
            record_name=company if rule is STALE_LEAD else f"{company} – {item[number % 3]}",
            owner_id=owner_id,
            owner_name=owner_name,
            manager_id=list(MANAGERS)[team],
            status=FindingStatus.OPEN,
            severity=severity,
            since=born,
            first_seen=born,
            last_seen=NOW,
            status_since=born,
            episode=1,
            baseline=baseline,
            absent_runs=0,
            seen_runs=4,
            reopened=0,
            impact=amount,
            currency=None if amount is None else currency,
            impact_kind=kinds[rule.id],
            message_en=_message(rule, days, currency).en,
            message_tr=_message(rule, days, currency).tr,
            evidence={"close_date": (NOW - timedelta(days=days)).date(), "stage_name": "Negotiation"},
            proof=Proof.PROVEN,
            snapshot_id="20261122T060000Z",
            notified_owner_id=None if baseline or chance.random() < 0.2 else owner_id,
        )

        def change(old: Any, new: FindingStatus, reason: str, at: datetime, found: Finding = found) -> Transition:
            return Transition(found.fingerprint, old, new, reason, at, f"run-{at:%Y%m%d}", 1)

        transitions.append(change(None, FindingStatus.OPEN, "baseline" if baseline else "detected", born))
        age = NOW - born
        fate = chance.random()
        if fate < 0.5 and age > timedelta(days=4):
            fixed_at = born + age * chance.uniform(0.3, 0.99)
            transitions.append(change(FindingStatus.OPEN, FindingStatus.RESOLVED, "fixed", fixed_at))
            found = replace(
                found, status=FindingStatus.RESOLVED, status_since=fixed_at, absent_runs=2, resolved_reason="fixed"
            )
            if fate < 0.06:
                again = fixed_at + (NOW - fixed_at) * 0.6
                transitions.append(change(FindingStatus.RESOLVED, FindingStatus.OPEN, "reopened", again))
                found = replace(found, status=FindingStatus.OPEN, status_since=again, reopened=1, resolved_reason=None)
        elif fate < 0.65 and rule is OVERDUE and company.startswith(("Vantry", "Ülker")):
            found = replace(found, status=FindingStatus.EXCEPTED, status_since=born)
            transitions.append(change(FindingStatus.OPEN, FindingStatus.EXCEPTED, "excepted", born))
        elif fate < 0.7 and rule is not PRICE and age > timedelta(days=12) and not baseline:
            at = born + timedelta(days=10)
            transitions.append(change(FindingStatus.OPEN, FindingStatus.ESCALATED, "escalated", at))
            found = replace(found, status=FindingStatus.ESCALATED, status_since=at, escalation_step=1)
        findings.append(found)
    unused = replace(
        findings[0],
        fingerprint="f" * 32,
        rule_id=NEXT_STEP.id,
        rule_version=1,
        sobject="Opportunity",
        record_id="Opportunity.Next_Step__c",
        record_name="Next_Step__c",
        status=FindingStatus.OPEN,
        is_process=True,
        count=412,
        impact=None,
        currency=None,
        impact_kind="none",
        message_en="The field Next Step is empty in 412 of 418 open deals: the process does not use it",
        message_tr="“Sonraki Adım” alanı 418 açık fırsatın 412’sinde boş: süreçte kullanılmıyor",
        owner_id=None,
        owner_name="",
        manager_id=None,
    )
    transitions.append(
        Transition(unused.fingerprint, None, FindingStatus.OPEN, "baseline", findings[0].first_seen, "run-0", 1)
    )
    return [*findings, unused], transitions


def sample_context(language: str = "en", **changes: Any) -> ReportContext:
    """Return the context of an invented org; `changes` replace fields."""
    turkish = language == "tr"
    org = OrgFacts(
        org_id="00D000000000001AAA",
        name="Marmara Yapı Sistemleri A.Ş." if turkish else "Alderfinch Industrial Ltd",
        time_zone="Europe/Istanbul" if turkish else "Europe/London",
        default_currency="TRY" if turkish else "EUR",
        base_url="https://example.my.salesforce.com",
    )
    context = ReportContext(
        org=org,
        rules=RULES,
        as_of=AS_OF,
        generated_at=NOW,
        language="tr" if turkish else "en",
        snapshot_id="20261122T060000Z",
        freshness={
            "sf_opportunity": datetime(2026, 11, 22, 5, 58, tzinfo=UTC),
            "sf_lead": datetime(2026, 11, 22, 5, 58, tzinfo=UTC),
            "sf_user": datetime(2026, 11, 22, 5, 57, tzinfo=UTC),
        },
        row_counts={"sf_opportunity": 8412, "sf_lead": 23950, "sf_user": 61},
        people=TR_MANAGERS if turkish else MANAGERS,
        notes=(
            Note(
                "status_meaning",
                Text(
                    en="The stage “Askıda” is read as suspended (config: stages.suspended).",
                    tr="“Askıda” aşaması, askıya alınmış olarak yorumlandı (ayar: stages.suspended).",
                ),
            ),
            Note(
                "missing_manager",
                Text(
                    en="2 of 61 users have no manager; their findings are under “No manager”.",
                    tr="61 kullanıcının 2’sinde yönetici tanımlı değil; bulguları “Yöneticisi yok” altında.",
                ),
                "warning",
            ),
        ),
        options=ReportOptions(),
    )
    return replace(context, **changes)


def sample_weekly(language: str = "en", *, count: int = 150, **changes: Any) -> dict[str, Any]:
    """Return the weekly result of the invented org."""
    context = sample_context(language, **changes)
    currency = context.org.default_currency or "EUR"
    findings, transitions = sample_findings(language, currency, count)
    runs: list[RuleRun] = []
    for week in range(12):
        at = NOW - timedelta(weeks=11 - week, hours=150) + timedelta(days=5)
        for rule in (STALE_LEAD, OVERDUE, NO_REASON, PRICE):
            version = 2 if rule is OVERDUE and week < 7 else rule.version
            runs.append(RuleRun(rule.id, version, at, open_count=10 + week, complete=week != 4))
    outcomes = [
        RuleOutcome(STALE_LEAD.id, 1, "", (), 23950, complete=True),
        RuleOutcome(OVERDUE.id, 3, "", (), 418, complete=True),
        RuleOutcome(NO_REASON.id, 1, "", (), 1204, complete=False),
        RuleOutcome(PRICE.id, 2, "", (), 655, complete=True),
        RuleOutcome(NEXT_STEP.id, 1, "", (), 418, complete=True),
        RuleOutcome(
            NO_FOLLOW_UP.id,
            1,
            "",
            (),
            None,
            complete=False,
            switched_off="the mirror has no table sf_event",
            switched_off_tr="veri kopyasında sf_event tablosu yok",
        ),
    ]
    return weekly(
        context,
        outcomes,
        findings=findings,
        transitions=transitions,
        rule_runs=runs,
        capture=(
            CaptureHealth("cagla@example.com", OWNERS[0][0], "Çağla Işık", NOW - timedelta(hours=1)),
            CaptureHealth("ian@example.com", OWNERS[1][0], "Ian Whitcombe", NOW - timedelta(days=6), "invalid_grant"),
        ),
        exceptions=(
            ExceptionEntry(
                OVERDUE.id, "Account Vantry Rail", "Framework contract, dates follow the tender", "E. Novak",
                date(2026, 12, 1), 3,
            ),
            ExceptionEntry(STALE_LEAD.id, "Lead 00QS00000000099AAA", "Asked for a call next year", "Ç. Işık",
                           date(2026, 11, 1), 0),
        ),
    )  # fmt: skip


def row(rule: RuleInfo, record_id: str, impact: str | None = None, **changes: Any) -> RuleRow:
    """Return one offending row with sensible values; `changes` replace fields."""
    base = RuleRow(
        rule_id=rule.id,
        business_key=(record_id,),
        record_id=record_id,
        sobject=rule.sobject,
        record_name=f"Deal {record_id}",
        owner_id="005A",
        owner_name="Ada Example",
        manager_id="005M",
        severity=rule.severity,
        impact=None if impact is None else Decimal(impact),
        currency=None if impact is None else "EUR",
        impact_kind="none" if impact is None else "at_risk",
        message_en="Something is wrong",
        message_tr="Bir sorun var",
        evidence={},
    )
    return replace(base, **changes)


def outcome(rule: RuleInfo, *rows: RuleRow, **changes: Any) -> RuleOutcome:
    """Return a complete evaluation of `rule` that found `rows` among a hundred."""
    return replace(RuleOutcome(rule.id, rule.version, "", rows, 100, complete=True), **changes)
