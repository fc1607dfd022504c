"""Mail domains that say nothing about the company behind an address. Data only.

Kept by hand from the providers' own lists of domains and from what sales mailboxes show; `capture.privacy.never_match`
and `capture.shared_domains` add to it. A domain counts with all that lies under it.
"""

from __future__ import annotations


def words_of(text: str) -> frozenset[str]:
    """Return the words of a list that is kept as text."""
    return frozenset(text.split())


FREE_MAIL = words_of(
    """
    126.com 139.com 163.com 189.cn abv.bg addy.io aim.com alice.it aliyun.com anonaddy.com aol.co.uk aol.com
    aol.de aol.fr atlas.cz azet.sk bezeqint.net bk.ru bol.com.br caramail.com centrum.cz centrum.sk
    citromail.hu daum.net dir.bg disroot.org duck.com e-kolay.net ekolay.net email.com email.cz email.de
    europe.com excite.com fastmail.com fastmail.fm foxmail.com freemail.hu gazeta.pl globo.com gmail.com
    gmx.at gmx.ch gmx.co.uk gmx.com gmx.de gmx.fr gmx.net gmx.us googlemail.com hanmail.net hey.com hot.ee
    hotmail.be hotmail.ca hotmail.co.uk hotmail.com hotmail.com.ar hotmail.com.br hotmail.com.tr hotmail.de
    hotmail.dk hotmail.es hotmail.fr hotmail.it hotmail.nl hotmail.no hotmail.se hush.com hushmail.com i.ua
    icloud.com ig.com.br inbox.com inbox.lv inbox.ru indiatimes.com interia.eu interia.pl internet.ru
    inwind.it iol.it juno.com keemail.me laposte.net libero.it list.ru live.be live.ca live.cn live.co.uk
    live.com live.com.au live.com.tr live.de live.dk live.fr live.it live.nl live.no live.se lycos.com mac.com
    mail.bg mail.com mail.de mail.ee mail.ru mailbox.org mailfence.com me.com meta.ua mozmail.com msn.com
    mynet.com mynet.com.tr myyahoo.com nate.com naver.com netzero.net o2.pl one.lt onet.eu onet.pl op.pl
    outlook.com outlook.com.tr outlook.de outlook.es outlook.fr outlook.it outlook.jp passport.com pm.me
    poczta.onet.pl post.cz posteo.de posteo.net privaterelay.appleid.com proton.me protonmail.ch
    protonmail.com qq.com rambler.ru rediffmail.com relay.firefox.com riseup.net rocketmail.com rogers.com
    runbox.com sapo.pt seznam.cz simplelogin.co simplelogin.com sina.cn sina.com sohu.com startmail.com
    superposta.com terra.com.br terra.es tin.it tiscali.it tlen.pl tuta.com tuta.io tutamail.com tutanota.com
    tutanota.de ukr.net uol.com.br usa.com virgilio.it voila.fr walla.co.il walla.com web.de windowslive.com
    wp.pl ya.ru yahoo.ca yahoo.co.id yahoo.co.in yahoo.co.jp yahoo.co.uk yahoo.com yahoo.com.ar yahoo.com.au
    yahoo.com.br yahoo.com.hk yahoo.com.mx yahoo.com.ph yahoo.com.sg yahoo.com.tr yahoo.com.tw yahoo.com.vn
    yahoo.de yahoo.es yahoo.fr yahoo.gr yahoo.ie yahoo.in yahoo.it yahoo.pl yahoo.ro yahoo.se yandex.by
    yandex.com yandex.com.tr yandex.kz yandex.ru yandex.ua yeah.net ymail.com zoho.com zohomail.com
    zohomail.eu zoznam.sk
    """
)

# Providers of lines whose customers are companies as well as people: the domain is the provider's, not theirs.
INTERNET_PROVIDERS = words_of(
    """
    1und1.de a1.net airtelmail.in alice-dsl.net ameritech.net aon.at arcor.de att.net au.com bbox.fr bell.net
    bellsouth.net biglobe.ne.jp bigpond.com bigpond.net.au bluewin.ch blueyonder.co.uk bredband.net
    btinternet.com btopenworld.com cableone.net centurylink.net centurytel.net charter.net chello.at chello.nl
    clear.net.nz club-internet.fr cogeco.ca comcast.net comhem.se cox.net docomo.ne.jp earthlink.net
    eastlink.ca eircom.net elisanet.fi embarqmail.com ewe.net ewetel.net ezweb.ne.jp forthnet.gr free.fr
    freenet.de frontier.com frontiernet.net hetnet.nl hinet.net hispeed.ch hol.gr home.nl iinet.net.au
    inode.at internode.on.net kabelmail.de kablonet.com.tr kolumbus.fi kpnmail.nl kpnplanet.nl mail.dk
    mindspring.com movistar.es mweb.co.za netcologne.de netvigator.com neuf.fr nifty.com ntlworld.com
    numericable.fr o2mail.de o2online.de ocn.ne.jp online.de online.no ono.com optimum.net optonline.net
    optusnet.com.au orange.fr otenet.gr ozemail.com.au pacbell.net plala.or.jp planet.nl plusnet.com
    proximus.be q.com roadrunner.com rr.com saunalahti.fi sbcglobal.net scarlet.be sfr.fr shaw.ca
    singnet.com.sg sky.com skynet.be slingshot.co.nz so-net.ne.jp softbank.ne.jp spectrum.net starhub.net.sg
    stofanet.dk suddenlink.net sunrise.ch superonline.com superonline.net swbell.net sympatico.ca t-online.de
    talktalk.net tdc.dk tds.net tele2.nl tele2.se telefonica.net telenet.be telenor.no telia.com telkomsa.net
    telus.net tiscali.co.uk tpg.com.au ttmail.com ttnet.net.tr turkcell.com.tr twc.com unity-mail.de
    unitymedia.de upcmail.nl utanet.at verizon.net versanet.de videotron.ca virgin.net virginmedia.com
    vodafone.com.tr vodafone.de vodafonemail.de vodamail.co.za vsnl.com vsnl.net wanadoo.fr westnet.com.au
    windstream.net wowway.com xs4all.nl xtra.co.nz ziggo.nl zonnet.nl
    """
)

DISPOSABLE = words_of(
    """
    10minutemail.com 10minutemail.net 33mail.com anonbox.net burnermail.io byom.de discard.email
    discardmail.com dispostable.com dropmail.me emailondeck.com erine.email fakeinbox.com fakemail.net
    getairmail.com getnada.com grr.la guerrillamail.com guerrillamail.net guerrillamail.org
    guerrillamailblock.com inboxkitten.com incognitomail.com jetable.com jetable.org kasmail.com mailcatch.com
    maildrop.cc mailexpire.com mailinator.com mailinator.net mailnesia.com mailnull.com mailtemp.info
    mintemail.com minuteinbox.com moakt.com mohmal.com mytemp.email nada.email owlymail.com sharklasers.com
    spam4.me spambox.us spamex.com spamgourmet.com temp-mail.io temp-mail.org tempinbox.com tempmail.com
    tempmail.net tempmailo.com tempr.email throwawaymail.com tmpmail.net tmpmail.org trash-mail.com
    trashmail.com trashmail.de trashmail.net wegwerfemail.de wegwerfmail.de yopmail.com yopmail.fr yopmail.net
    """
)

# People write these into Account.Website, where a company has only a page on somebody else's site.
SITES_OF_MANY = words_of(
    """
    bit.ly blogger.com blogspot.com business.site carrd.co docs.google.com ebay.com etsy.com facebook.com fb.com
    g.page github.com github.io gitlab.com godaddysites.com goo.gl hepsiburada.com indiamart.com instagram.com
    jimdo.com jimdofree.com jimdosite.com linkedin.com linktr.ee medium.com myshopify.com n11.com notion.site
    pinterest.com sahibinden.com sites.google.com strikingly.com t.co tiktok.com trendyol.com tripadvisor.com
    tumblr.com twitter.com webflow.io weebly.com wikipedia.org wixsite.com wordpress.com x.com xing.com yelp.com
    youtube.com
    """
)

NO_COMPANY = FREE_MAIL | INTERNET_PROVIDERS | DISPOSABLE | SITES_OF_MANY
