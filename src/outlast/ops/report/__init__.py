"""Reports: one document (schema.json), shown on a terminal, kept as JSON, and read as one page of HTML.

The headings follow the execution reports of ARC's Region switch (execution events, plan configuration, alarm states),
so that whoever audits one can read the other.
"""
