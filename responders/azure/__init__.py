"""Azure, as the actions see it. The only package that imports Azure SDKs, and each when it is first used.

One credential, one transport, one retry policy.
"""

from responders.azure.answers import absent_is_fine, explained, fine
from responders.azure.client import Azure
from responders.azure.pipeline import PATIENCE
from responders.azure.words import odata, rest, segment

__all__ = ["PATIENCE", "Azure", "absent_is_fine", "explained", "fine", "odata", "rest", "segment"]
