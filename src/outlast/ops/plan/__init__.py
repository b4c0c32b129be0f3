"""Plans are data: computed from facts, shown, agreed to, and only then carried out."""
