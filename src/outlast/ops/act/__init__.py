"""What changes something: routing controls, weights, and the audit log that every change is written to."""
