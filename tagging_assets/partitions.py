"""How the line is partitioned: batches of photos, named by the manifest.

Dagster's UI and bookkeeping are quick up to about ten thousand partitions; a photo each would be far beyond.
"""

import dagster as dg

#: Batches ``b000001``, ``b000002`` …; the manifest says which photo is in which.
image_batches = dg.DynamicPartitionsDefinition(name="image_batch")
