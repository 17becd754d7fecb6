"""Zero-shot scores without CLIP: ConSE, a convex combination of semantic embeddings.

An image is placed in the space of a sentence encoder, as the probability-weighted mean of the text vectors of
the classes a classifier sees in it; free text lives in that space already, so any label can be compared with any
image by cosine (Norouzi et al., "Zero-Shot Learning by Convex Combination of Semantic Embeddings", ICLR 2014,
https://arxiv.org/abs/1312.5650). What the classifier has no class for, it cannot see: people and styles among
them, where the classes are ImageNet's.
"""

import numpy as np

from tagging_assets.domain.models import Vectors


def softmax(logits: Vectors, temperature: float = 1.0) -> Vectors:
    """Probabilities per row.

    Args:
        logits: (n, classes).
        temperature: above 0; higher spreads the probability over more classes.

    Raises:
        ValueError: the temperature is not above 0.
    """
    if temperature <= 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True, initial=-np.inf)
    exponent = np.exp(scaled)
    return np.asarray(exponent / exponent.sum(axis=1, keepdims=True), dtype=np.float32)


def keep_top(probabilities: Vectors, top_k: int) -> Vectors:
    """Each row's ``top_k`` largest probabilities, renormalised to sum 1; all others 0.

    Ties at the edge go to the lower class index, so that the result never depends on the sort.

    Raises:
        ValueError: ``top_k`` is below 1.
    """
    if top_k < 1:
        raise ValueError(f"top_k must be at least 1, not {top_k}")
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
    kept = np.zeros_like(probabilities)
    np.put_along_axis(kept, order, np.take_along_axis(probabilities, order, axis=1), axis=1)
    total = kept.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(kept, total, out=np.zeros_like(kept), where=total > 0), dtype=np.float32)


def unit_rows(vectors: Vectors) -> Vectors:
    """Rows scaled to Euclidean length 1; rows of zeros stay zeros."""
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, norm, out=np.zeros_like(vectors), where=norm > 0), dtype=np.float32)


def ensemble_means(vectors: Vectors, sizes: list[int]) -> Vectors:
    """Mean direction of consecutive groups of unit vectors, as for a label's prompt ensemble.

    Args:
        vectors: (sum(sizes), d), the groups one after the other.
        sizes: number of vectors in each group; a group of none has the zero vector, which scores 0 everywhere.

    Returns:
        (len(sizes), d), rows of length 1 (or 0).

    Raises:
        ValueError: the sizes do not add up to the number of vectors.
    """
    if sum(sizes) != len(vectors):
        raise ValueError(f"groups of {sum(sizes)} vectors in all, but {len(vectors)} vectors")
    groups = np.repeat(np.arange(len(sizes)), sizes)
    total = np.zeros((len(sizes), vectors.shape[1]), dtype=np.float32)
    np.add.at(total, groups, vectors)
    return unit_rows(total)


def synthesise(probabilities: Vectors, class_vectors: Vectors, top_k: int) -> Vectors:
    """Place images in the space of the class vectors.

    Args:
        probabilities: (n, classes), rows in [0, 1].
        class_vectors: (classes, d), unit rows.
        top_k: how many classes of each image to combine; the paper found 10 best.

    Returns:
        (n, d), unit rows.
    """
    return unit_rows(keep_top(probabilities, top_k) @ class_vectors)


def cosine_scores(image_vectors: Vectors, label_vectors: Vectors) -> Vectors:
    """(n, labels) cosines in [-1, 1] of unit rows."""
    return np.asarray(np.clip(image_vectors @ label_vectors.T, -1.0, 1.0), dtype=np.float32)
