"""The org's authorization server: connected apps, grants, sessions, refresh tokens, and who a token speaks for.

Tokens live by wall time, as the clients' auth libraries do, and stay good when the sandbox restarts.
"""
