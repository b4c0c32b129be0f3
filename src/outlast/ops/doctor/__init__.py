"""Readiness: what would hurt on the night, found beforehand. Facts are gathered over boto3; rules over them are pure.

It does by itself what ARC's readiness check does, which is closed to new customers:
https://docs.aws.amazon.com/r53recovery/latest/dg/recovery-readiness.rules-resources.html
"""
