"""The review desk: pages on this machine on which people judge answers blind.

What does not belong here: Dagster, settings, and where answers, pictures and votes are kept; commands hand those in.
"""
