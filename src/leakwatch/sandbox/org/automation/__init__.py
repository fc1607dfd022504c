"""Objects' own rules: what Salesforce fills in, refuses and sets off when such a row is written."""

from __future__ import annotations

from leakwatch.sandbox.org.automation import activities, deals, emails, people
from leakwatch.sandbox.org.engine import Rules

RULES: dict[str, Rules] = {
    "Task": activities.TASK,
    "Event": activities.EVENT,
    "EmailMessage": emails.EMAIL_MESSAGE,
    "Opportunity": deals.OPPORTUNITY,
    "OpportunityLineItem": deals.LINE_ITEM,
    "Lead": people.LEAD,
    "Contact": people.PERSON,
    "User": people.PERSON,
    "FeedItem": people.FEED_ITEM,
}
"""The rules of each object that has some."""
