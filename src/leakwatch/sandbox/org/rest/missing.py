"""Parts of the real API that the sandbox names instead of emulating."""

from __future__ import annotations

from leakwatch.sandbox.org.rest.http import router

for _pattern, _what in (
    (r"sobjects/\w+/describe/layouts", "describe of page layouts"),
    (r"sobjects/\w+/describe/compactLayouts", "describe of compact layouts"),
    (r"sobjects/\w+/describe/approvalLayouts", "describe of approval layouts"),
    (r"sobjects/\w+/describe/namedLayouts", "describe of named layouts"),
    (r"sobjects/\w+/quickActions", "an object's quick actions"),
    (r"sobjects/\w+/defaultValues", "default values of a page layout"),
    (r"sobjects/\w+/describe/", "this part of describe"),
    (r"sobjects/\w+/listviews", "list views"),
    (r"composite/tree", "sObject Tree"),
    (r"composite/graph", "Composite Graph"),
    (r"composite/(?!sobjects)", "this composite resource"),
    (r"actions(/|\Z)", "this invocable action"),
    (r"chatter(/|\Z)", "the Connect (Chatter) REST API"),
    (r"(search|parameterizedSearch)", "SOSL search"),
    (r"tooling", "the Tooling API"),
    (r"metadata", "the Metadata API"),
    (r"analytics", "the Reports and Dashboards API"),
    (r"ui-api", "the User Interface API"),
    (r"sobjects/(User|SelfServiceUser)/\w+/password", "passwords of users"),
    (r"sobjects/(Attachment|ContentVersion|ContentDocument|Document|StaticResource|FeedAttachment)", "files (blobs)"),
    (r"actions\Z", "the list of kinds of invocable actions"),
    (r"connect", "the Connect REST API"),
    (r"(support|knowledgeManagement|consent|commerce|wave|dedupe|licensing|payments|scheduling)", "this API"),
    (r"(async-queries|compactLayouts|smartdatadiscovery|iot|localizedvalue|folders|jsonxform)", "this API"),
    (r"(recent|tabs|theme|quickActions|appMenu|process|sobjects/relevantItems|event)", "this resource"),
):
    router.missing(_pattern, _what)
