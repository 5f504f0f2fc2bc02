"""A local Azure Functions host: runs an unmodified function app with Durable orchestrations, their history in SQLite.

It stands in for the real host in demos, tests and drills; it is never the production engine.
"""

from sandbox.functions.app import BadApp
from sandbox.functions.history import InUse
from sandbox.functions.host import Host
from sandbox.functions.sign_in import verify_with_keys

__all__ = ["BadApp", "Host", "InUse", "verify_with_keys"]
