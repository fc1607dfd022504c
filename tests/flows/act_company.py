"""A company with leaks, and leakwatch's audit and act run on it day by day."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from finding_org import US, WORDS, Org, snapshot
from finding_sample import (
    DAY,
    MANAGER,
    MONDAY,
    OTHER_OWNER,
    OWNER,
    REVOPS,
    mark,
    outcome,
    rule,
    run,
)
from leakwatch.actions import chatter_post, salesforce_task
from leakwatch.core.fingerprint import owner_key
from leakwatch.core.lifecycle import Signals
from leakwatch.core.notice_policy import NoticePolicy, Recipient
from leakwatch.flows.act import OrgView, act
from leakwatch.flows.audit import audit
from leakwatch.store.database import open_engine
from leakwatch.store.findings import SqlFindingStore

ACTIONS = {
    "salesforce_task": salesforce_task.create(salesforce_task.Settings(), WORDS),
    "chatter_post": chatter_post.create(chatter_post.Settings(), WORDS),
}
PEOPLE = {user: Recipient(user) for user in (OWNER, OTHER_OWNER, MANAGER, REVOPS)}
FIRST = owner_key(mark(1), 1, 1)


class Company:
    """An org with leaks, and leakwatch's two flows run on it day by day."""

    def __init__(self, path, of=None):
        self.engine = open_engine(path, durable=False)
        SqlFindingStore.create_tables(self.engine)
        self.store = SqlFindingStore(self.engine)
        self.org = Org()
        self.rule = of or rule()
        self.now = MONDAY - DAY
        self.number = 0
        self.policy = NoticePolicy(
            writes={"salesforce_task": True, "chatter_post": True},
            zone=ZoneInfo("Europe/Istanbul"),
            feed_objects=frozenset({"Opportunity"}),
        )
        self.audit()  # the baseline
        self.next_day()

    def next_day(self, days=1):
        self.now += days * DAY
        self.org.now = self.now

    def audit(self, *rows, name=None, **changes):
        self.number += 1
        signals = Signals(tasks=self.org.states(), **changes)
        return audit(
            run=run(run_id=f"audit-{self.number}", at=self.now),
            rules=[self.rule],
            outcomes=[outcome(*rows, of=self.rule)],
            snapshot=snapshot(name or f"s{self.number}", self.now),
            store=self.store,
            now=self.now,
            signals=signals,
        )

    def act(self, **changes):
        self.number += 1
        values = {
            "run": run("act", f"act-{self.number}", self.now),
            "rules": [self.rule],
            "store": self.store,
            "writer": self.org,
            "actions": ACTIONS,
            "org": OrgView(self.org.states(), PEOPLE, WORDS, US),
            "policy": self.policy,
            "now": self.now,
            "fetcher": self.org,
        }
        return act(**(values | changes))

    def day(self, *rows, days=1, **changes):
        """Audit and act, then let the day pass."""
        self.audit(*rows, **changes)
        report = self.act()
        self.next_day(days)
        return report

    def finding(self, number=1):
        return next(found for found in self.store.findings() if found.fingerprint == mark(number))
