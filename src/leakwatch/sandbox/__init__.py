"""The sandbox: an emulated Salesforce org and Google Workspace over one world of people, mails and deals.

It is a program of its own (`leakwatch sandbox serve`, or `python -m leakwatch.sandbox serve`), imports
nothing of leakwatch and is imported by nothing of it: clients meet it over HTTPS only, as they would meet
the real thing.
"""
