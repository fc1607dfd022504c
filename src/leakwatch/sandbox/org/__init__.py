"""The emulated Salesforce org: its metadata, its rows, its query language, its rules and its REST API.

`facade.Org` is the org; `rest.build_app` puts it on the network. What is known of the real service comes
from its guides and from real describe bodies (each schema file names its source); what is not known to
behave so in the real service carries the word *unverified* beside it.
"""
