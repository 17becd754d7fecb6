"""Image tagging as Dagster data assets. Import what you need from the submodules; nothing loads from here."""
