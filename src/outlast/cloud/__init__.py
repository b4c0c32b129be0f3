"""The local multi-Region cloud that speaks the AWS wire protocols."""
