"""Detections: Sigma rules, one a file in this folder, and what turns them into what runs.

Everything here but the rules is used at build time only. At run time there are `responders/investigation/rules.json`,
which this made, and the matcher beside it.
"""
