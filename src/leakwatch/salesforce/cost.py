"""How many API calls writing takes, before it is done: for dry runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import ceil

from leakwatch.model import Verb, WriteOp
from leakwatch.salesforce.writer import COLLECTIONS_PER_COMPOSITE, POSTS_PER_CALL, ROWS_PER_COLLECTION


def calls_for(ops: Iterable[WriteOp], *, composite: bool) -> int:
    """Return how many API calls `ops` take if none is refused for now, sent in one go as `SalesforceWriter` does.

    `composite` says whether five Collections travel in one call.
    """
    rows = ROWS_PER_COLLECTION * (COLLECTIONS_PER_COMPOSITE if composite else 1)
    groups = Counter((op.verb, op.sobject) for op in ops)
    return sum(ceil(count / (POSTS_PER_CALL if verb is Verb.POST else rows)) for (verb, _), count in groups.items())
