"""From cosines of pictures and texts to scores in [0, 1], for models that have both in one space.

SigLIP was trained to say yes or no to each text alone, so its own sigmoid is the score (Zhai et al., "Sigmoid Loss
for Language Image Pre-Training", ICCV 2023). CLIP was trained to choose among texts: its cosine means nothing alone,
only more or less than another text's. So each label is weighed against what a picture of nothing in particular reads
like ("a photo"): alone, as the two-class zero-shot classifier of Radford et al. (ICML 2021, section 3.1), where
labels may be true side by side; all together, where only one can be true. In the second case the neutral text keeps
a share of the probability, or a portrait would have to be one of the landscapes.

A label's negation ("a photo without a dog") is no opponent: CLIP hardly hears the "without" (Wang et al., "CLIPN for
Zero-Shot OOD Detection: Teaching CLIP to Say No", ICCV 2023).

What does not belong here: the towers (``resources.clip``), and which prompts a label has (``labels``).
"""

import numpy as np

from tagging_assets.domain.models import Vectors

#: What a picture of nothing in particular reads like, where a label set does not say.
NEUTRAL = ("a photo", "a picture", "an image")


def sigmoid_scores(cosines: Vectors, scale: float, bias: float) -> Vectors:
    """Each text on its own.

    Args:
        cosines: (n, labels) in [-1, 1].
        scale: that the model learnt, above 0.
        bias: that the model learnt.

    Returns:
        (n, labels) float32 in [0, 1].
    """
    return _sigmoid(cosines.astype(np.float64) * scale + bias)


def against_neutral(cosines: Vectors, neutral: Vectors, scale: float) -> Vectors:
    """Each label and the neutral text, by themselves: a softmax of two.

    Args:
        cosines: (n, labels) in [-1, 1].
        neutral: (n,) cosines of the neutral text.
        scale: of the cosines, above 0; what the model learnt, divided by a temperature.

    Returns:
        (n, labels) float32 in [0, 1]; 0.5 where the picture is as near to the label as to the neutral text.
    """
    return _sigmoid((cosines.astype(np.float64) - neutral[:, None]) * scale)


def among_labels(cosines: Vectors, neutral: Vectors, scale: float) -> Vectors:
    """All labels and the neutral text together: a softmax, the neutral text's share left out.

    Args:
        cosines: (n, labels) in [-1, 1].
        neutral: (n,) cosines of the neutral text.
        scale: as in :func:`against_neutral`.

    Returns:
        (n, labels) float32 in [0, 1], rows of sum 1 at most.
    """
    logits = np.column_stack([cosines, neutral]).astype(np.float64) * scale
    exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray((exponent / exponent.sum(axis=1, keepdims=True))[:, :-1], dtype=np.float32)


def _sigmoid(logits: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Vectors:
    # By tanh, which does not overflow.
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)), dtype=np.float32)
