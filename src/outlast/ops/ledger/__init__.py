"""The conflict ledger, read whole: what was overwritten, what has not arrived, and how every link of replication is."""
