"""One folder an AWS service, all of one shape."""
