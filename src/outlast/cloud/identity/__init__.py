"""Who is calling, and may they: signatures, credentials and policies. Pure: no clock, no randomness, no I/O."""
