"""From what was seen to what should be done. Pure: time comes in with the samples, so hours can be judged in a test."""
