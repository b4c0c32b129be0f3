"""DynamoDB and DynamoDB Streams: tables, items, indexes, transactions, streams and global tables."""
