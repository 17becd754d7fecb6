"""What the console script does, one module per command. Typer and printing live here and nowhere else."""
