"""The operator kit. It speaks boto3 alone, so it serves the local cloud and AWS."""
