"""The words of alert messages in English and Turkish; `core.notice_text` puts them together."""

from __future__ import annotations

from collections.abc import Mapping

EN: Mapping[str, str] = {
    "title_back_again": "Back again: {subject}",
    "title_not_fixed": "Closed, but not fixed: {subject}",
    "title_reassigned": "Now yours: {subject}",
    "title_resumed": "Due again: {subject}",
    "title_escalated": "Escalated: {subject}",
    "back_again": "This was fixed and is back.",
    "not_fixed": "The last Task about this was closed, but the record still shows the problem.",
    "reassigned": "This record came to you from another owner.",
    "resumed": "The time for which this was accepted or put off is over, and the record still shows the problem.",
    "escalated": "{owner} was told on {told}, and nothing has changed since.",
    "escalated_untold": "Nothing has changed since {told}. The owner, {owner}, was not told.",
    "stand_in": "This comes to you because its owner, {owner}, can't be told: a queue, or a user who is not active.",
    "no_owner": "nobody",
    "why": "Why it matters: {text}",
    "fix": "What to do: {text}",
    "at_risk": "At risk: {amount}",
    "lost": "Amount: {amount}",
    "deviation": "Deviation: {amount}",
    "grown": "{now} (before: {before})",
    "process_subject": "Hardly ever filled in: {field} ({count} of {population} records)",
    "process_closes": (
        "This Task closes itself when the field is filled in more often. Put it in progress to be left alone for"
        " {days} days."
    ),
    "no_money": "Amounts are not named in posts; see them on the record.",
    "evidence": "What we saw:",
    "unproven": "Not certain: the owner's mailbox was not read for this period, so mails may be missing here.",
    "more": "... and {count} more like this wait for you. At most {cap} a day are sent, the biggest first.",
    "closes": "This Task closes itself when the record is fixed. Put it in progress to be left alone for {days} days.",
    "wrong": "If this is wrong, delete this Task (it will not come back for this case) and tell {team}.",
    "wrong_post": "If this is wrong, tell {team}.",
    "source": "From leakwatch: rule {rule}, version {version}; seen since {since}.",
    "runbook": "More: {runbook}",
    "line_resolved": "{day}: leakwatch no longer sees the problem.",
    "line_resolved_note": "{day}: leakwatch no longer sees the problem; you may close this Task.",
    "line_superseded": "{day}: the record has another owner now; the matter was handed on.",
    "line_superseded_note": "{day}: the record has another owner now; you may close this Task.",
    "line_excepted": "{day}: accepted as an exception; nothing is to be done for now.",
    "line_excepted_note": "{day}: accepted as an exception; you may close this Task.",
    "line_grew": "{day}: it got worse: {text}",
    "line_still_open": "{day}: still not fixed.",
    "yes": "yes",
    "no": "no",
}

TR: Mapping[str, str] = {
    "title_back_again": "Yeniden ortaya çıktı: {subject}",
    "title_not_fixed": "Kapatıldı ama düzelmedi: {subject}",
    "title_reassigned": "Artık sizde: {subject}",
    "title_resumed": "Yeniden gündemde: {subject}",
    "title_escalated": "Üst kademeye iletildi: {subject}",
    "back_again": "Bu sorun düzelmişti, yeniden ortaya çıktı.",
    "not_fixed": "Bununla ilgili son görev kapatıldı, ancak kayıtta sorun sürüyor.",
    "reassigned": "Bu kayıt size başka bir kayıt sahibinden geçti.",
    "resumed": "Kabul ya da erteleme süresi doldu, ancak kayıtta sorun sürüyor.",
    "escalated": "{owner} {told} tarihinde bilgilendirildi, o günden beri bir değişiklik yok.",
    "escalated_untold": "{told} tarihinden beri bir değişiklik yok. Kayıt sahibi {owner} bilgilendirilmedi.",
    "stand_in": "Kayıt sahibi ({owner}) bir kuyruk ya da etkin olmayan bir kullanıcı olduğu için bu size gönderildi.",
    "no_owner": "yok",
    "why": "Neden önemli: {text}",
    "fix": "Yapılacak: {text}",
    "at_risk": "Risk altında: {amount}",
    "lost": "Tutar: {amount}",
    "deviation": "Sapma: {amount}",
    "grown": "{now} (önce: {before})",
    "process_subject": "Neredeyse hiç doldurulmayan alan: {field} ({population} kayıttan {count} tanesi)",
    "process_closes": (
        "Alan daha çok kayıtta doldurulunca bu görev kendiliğinden kapanır. Üzerinde çalışıyorsanız görevin durumunu"
        " değiştirin; {days} gün hatırlatılmaz."
    ),
    "no_money": "Gönderilerde tutar yazılmaz; tutarları kayıtta görebilirsiniz.",
    "evidence": "Gördüklerimiz:",
    "unproven": "Kesin değil: kayıt sahibinin posta kutusu bu dönem için okunmadı, e-postalar eksik olabilir.",
    "more": "Benzer {count} bulgu daha sırada. Günde en çok {cap} tane gönderilir, önce en büyükleri.",
    "closes": (
        "Kayıt düzeltilince bu görev kendiliğinden kapanır. Üzerinde çalışıyorsanız görevin durumunu değiştirin;"
        " {days} gün hatırlatılmaz."
    ),
    "wrong": "Bu yanlışsa görevi silin (bu durum için yeniden açılmaz) ve {team} ekibine bildirin.",
    "wrong_post": "Bu yanlışsa {team} ekibine bildirin.",
    "source": "Kaynak: leakwatch, kural {rule}, sürüm {version}; ilk görülme {since}.",
    "runbook": "Ayrıntı: {runbook}",
    "line_resolved": "{day}: leakwatch sorunu artık görmüyor.",
    "line_resolved_note": "{day}: leakwatch sorunu artık görmüyor; bu görevi kapatabilirsiniz.",
    "line_superseded": "{day}: kaydın sahibi değişti, konu yeni sahibine aktarıldı.",
    "line_superseded_note": "{day}: kaydın sahibi değişti; bu görevi kapatabilirsiniz.",
    "line_excepted": "{day}: istisna olarak kabul edildi, şimdilik yapılacak bir şey yok.",
    "line_excepted_note": "{day}: istisna olarak kabul edildi; bu görevi kapatabilirsiniz.",
    "line_grew": "{day}: durum kötüleşti: {text}",
    "line_still_open": "{day}: hâlâ düzelmedi.",
    "yes": "evet",
    "no": "hayır",
}
