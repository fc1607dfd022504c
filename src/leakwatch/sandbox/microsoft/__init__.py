"""An emulated Microsoft 365: Entra's token endpoint and Microsoft Graph v1.0 over one tenant.

Where things are:

    errors       what Graph and Entra answer instead: bodies, codes, who says which
    call         a request as a handler gets it, a reply as it gives one, routes and how paths name them
    odata        `$select`, `$top`, ... of a URL; `filters`: `$filter` and `$orderby`, read and made SQL
    entra        the token endpoint: secrets and certificates for access tokens, and opening those again
    consent      the tenant's one application: its credentials, permissions, and which mailboxes it may see
    limits       throttling by application, mailbox and service, in wall time
    settings     how this tenant is set up, with the switches for what only a real tenant can settle (docs/probes.md)
    service      answers one request: token, permission, mailbox, throttling, handler, headers
    batch        `$batch`; `app`: all of it as an ASGI application
    tenant       users as Entra keeps them (tables `ms_user`); `users`: `/users` over them
    ids          ids of folders and items, mutable and immutable, and change keys
    store        mailboxes (tables `ms_*` in the sandbox's one file of mailboxes), with the log that delta reads;
                 `rows`: those tables, the folders of a new mailbox, and what a message is in them
    exchange     what mail servers and people do with mail: deliver, draft, send, move, read, delete
    letter       what a mailbox keeps of a message's bytes; `invitation`: what of an iCalendar part
    message      a message as Graph shows it; `mail`: lists and single messages; `folders`: mail folders
    delta        rounds of change tracking of mail; `sealing`: tokens that cannot be made up
    diary        what is in a mailbox's calendar, and what changed of it; `event`: an event as Graph shows it, made of
                 `event_ids` (ids and UIDs), `patterns` (recurrence) and `time_zones` (names of Windows)
    calendars    calendar views, lists, single events, instances; `calendar_delta`: their change tracking;
                 `calendar_errors`: what they answer instead
    teams_store  what Teams keeps (tables `ms_call`, `ms_attendance`, `ms_chat*`); `calls`: call records;
                 `online_meetings`: by join URL, with attendance; `chats`: messages and members; `teams_errors`

Meetings are kept once for both providers: `google.meetings` changes the copies of `google.calendar_store`, whoever has
the calendar (`sandbox/colleagues`), and here they are told in Outlook's words.

To add a resource: a module with a class over the store and a function `routes(...)` that
gives its `Route`s, and one line in `service.build`. A handler gets a `GraphCall`, whose mailbox exists and may be read
by the caller, and gives a body; errors are raised as `GraphError`. State goes into tables of its own
(`store.define`), so that saving and restoring the sandbox take it along.

Outside of here: `sandbox/mail_room` is the one counter that a world's letters go to, whoever has the mailboxes;
`world/seed` makes the users of a world, `world/meetings` puts its meetings into everybody's calendars;
`control/microsoft` steers the tenant, `control/calendars` the meetings, `control/teams` Teams; `fault_bodies` has what
faults answer. Tests ask `GraphService.answer` in process (`tests/sandbox/microsoft/tenant_desk.py`); `make conformance`
holds the bodies against Graph's own CSDL.
"""
