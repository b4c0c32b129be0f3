"""Looking, from several places at once: each vantage point turns what it sees into samples, and never decides."""
