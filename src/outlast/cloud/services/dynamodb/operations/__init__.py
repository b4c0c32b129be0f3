"""The operations of DynamoDB, one function each."""
