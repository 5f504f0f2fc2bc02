"""A picture of an incident's timeline, for the report: who did what when, how grave, and what was done about it."""
