"""Reconciling: what an outage left in the data, judged by the domain's own rules, repaired by conditional writes."""
