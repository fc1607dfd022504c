"""leakwatch's parts, imported before anything is measured: the daemon has them loaded, and so has the peer's loop."""

import leakwatch.actions.chatter_post
import leakwatch.actions.salesforce_task
import leakwatch.app.auditing
import leakwatch.app.capturing
import leakwatch.clients.google_services
import leakwatch.rule_engine.run
import leakwatch.salesforce.writer
import leakwatch.store.findings
import leakwatch.store.journal
import leakwatch.store.mirror_derive
import leakwatch.store.runs
import leakwatch.store.schema
import leakwatch.store.snapshots
import leakwatch.store.write_log  # noqa: F401  imported for their own sake
