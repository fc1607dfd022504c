"""leakwatch: captures sales activity into Salesforce, audits it for leaks, and tells who can mend them.

Start reading at `flows/`: each file there is one arrow chain of ARCHITECTURE.md.
"""

__version__ = "0.1.0"
