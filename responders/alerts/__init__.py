"""Alerts of Defender for Resource Manager, in every shape in which they arrive, made into one."""

from responders.alerts.payloads import Arrival, Reference, from_arm, parse

__all__ = ["Arrival", "Reference", "from_arm", "parse"]
