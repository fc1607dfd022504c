"""The world the sandbox plays: a company with people, deals, mails, planted leaks and their truth."""
