"""Image tagging as Dagster data assets. Import what you need from the submodules; nothing loads from here."""

import os

# NumPy's matrix products are small here, and come from as many threads as there are photos under way: given threads of
# their own they wait for each other (18 ms instead of 0.5 for a photo's zero-shot scores, two cores), and their last
# bits depend on the number of cores. OpenBLAS reads this when NumPy is loaded; an operator's own choice stands.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
