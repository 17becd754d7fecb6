"""How assets are partitioned: the line by batches of photos, named by the manifest; experiments by their own names.

Dagster's UI and bookkeeping are quick up to about ten thousand partitions; a photo each would be far beyond.
"""

import dagster as dg

#: Batches ``b000001``, ``b000002`` …; the manifest says which photo is in which.
image_batches = dg.DynamicPartitionsDefinition(name="image_batch")

#: Contestants, ``EXPERIMENT:LABEL``; the table ``experiment`` says what each means.
contestants = dg.DynamicPartitionsDefinition(name="contestant")

#: Experiments, by name.
experiments = dg.DynamicPartitionsDefinition(name="experiment")
