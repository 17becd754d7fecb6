"""What is true whatever runs it: pure functions and types. No Dagster, I/O, clock or environment."""
