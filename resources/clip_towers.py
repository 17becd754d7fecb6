"""open_clip's towers in a form that exports well. Runs in the exporting process only, where torch is.

torch's ``MultiheadAttention`` becomes ONNX with the number of pictures and of tokens written into it. Here attention
is spelled out with the same weights, so both stay free; that of tokens pays: a label has ten of them, not 77.
"""

import copy
from typing import Any

import torch
from torch import nn


class ImageTower(nn.Module):  # type: ignore[misc, unused-ignore]
    """Pictures (n, 3, height, width) to raw vectors (n, d)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Any) -> Any:
        """Not normalised: whoever wants unit vectors makes them so."""
        return self.network.encode_image(images, normalize=False)


class TextTower(nn.Module):  # type: ignore[misc, unused-ignore]
    """Tokens (n, context) to raw vectors (n, d); of any length, where :func:`has_free_context`."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.free = has_free_context(network)

    def forward(self, tokens: Any) -> Any:
        """What ``encode_text`` computes, over as many positions as there are tokens."""
        network = self.network
        if not self.free:
            return network.encode_text(tokens, normalize=False)
        length = tokens.shape[1]
        states = network.token_embedding(tokens) + network.positional_embedding[:length]
        states = network.transformer(states, attn_mask=network.attn_mask[:length, :length])
        # The token that ends the text has the highest number of all, and has seen all the others.
        ends = network.ln_final(states)[torch.arange(tokens.shape[0]), tokens.argmax(dim=-1)]
        projection = network.text_projection
        return projection(ends) if isinstance(projection, nn.Linear) else ends @ projection


def image_tower(network: Any) -> ImageTower:
    """The image tower of a model in evaluation mode; the model itself stays as it is."""
    plain = _spelled_out(network)
    return ImageTower(_with(plain, "visual", _shortened(plain.visual)) if hasattr(plain, "visual") else plain)


def text_tower(network: Any) -> TextTower:
    """The text tower of a model in evaluation mode; the model itself stays as it is."""
    return TextTower(_spelled_out(network))


def has_free_context(network: Any) -> bool:
    """Whether a text's vector is the same however far it is filled up: each token sees only those before it."""
    return (
        getattr(network, "attn_mask", None) is not None
        and getattr(network, "text_pool_type", "") == "argmax"
        and getattr(network, "text_projection", None) is not None
        and not hasattr(network, "text")
    )


class _Attention(nn.Module):  # type: ignore[misc, unused-ignore]
    """Stands in for a ``MultiheadAttention`` of a tensor, or of a part of it, with itself; batch first."""

    def __init__(self, original: Any) -> None:
        super().__init__()
        self.heads, self.width = int(original.num_heads), int(original.embed_dim)
        self.weights, self.biases = original.in_proj_weight, original.in_proj_bias
        self.out = original.out_proj

    def forward(self, query: Any, key: Any, _value: Any, *, attn_mask: Any = None, **_others: Any) -> tuple[Any]:
        size = self.width // self.heads
        queries, keys, values = (
            nn.functional.linear(states, weight, bias).reshape(query.shape[0], -1, self.heads, size).transpose(1, 2)
            for states, weight, bias in zip((query, key, key), self.weights.chunk(3), self.biases.chunk(3), strict=True)
        )
        scores = (queries * size**-0.5) @ keys.transpose(-2, -1)
        if attn_mask is not None:
            scores = scores + attn_mask
        seen = scores.softmax(dim=-1) @ values
        return (self.out(seen.transpose(1, 2).reshape(query.shape[0], -1, self.width)),)


class _LastBlock(nn.Module):  # type: ignore[misc, unused-ignore]
    """A transformer's last block, for the first token alone.

    Where the others are dropped right after, nobody needs theirs: a fourteenth of the work of twelve blocks.
    """

    def __init__(self, original: Any) -> None:
        super().__init__()
        self.block = original

    def forward(self, states: Any, attn_mask: Any = None, **_others: Any) -> Any:
        block = self.block
        normal = block.ln_1(states)
        first = states[:, :1] + block.ls_1(block.attn(normal[:, :1], normal, normal)[0])
        return first + block.ls_2(block.mlp(block.ln_2(first)))


def _shortened(tower: Any) -> Any:
    """A twin of an image tower that computes one token in its last block, where it drops the others after it."""
    blocks = getattr(getattr(tower, "transformer", None), "resblocks", None)
    keeps_one = getattr(tower, "pool_type", "") == "tok" and getattr(tower, "attn_pool", None) is None
    if not keeps_one or blocks is None or getattr(tower, "output_tokens", False):
        return tower
    last = blocks[-1]
    if type(last).__name__ != "ResidualAttentionBlock" or not isinstance(last.attn, _Attention):
        return tower
    transformer = _with(tower.transformer, "resblocks", nn.ModuleList([*blocks[:-1], _LastBlock(last)]))
    return _with(tower, "transformer", transformer)


def _with(module: Any, name: str, child: Any) -> Any:
    """A twin with the same weights and another child of that name."""
    twin = copy.copy(module)
    twin._modules = {**module._modules, name: child}
    return twin


def _replaceable(module: Any) -> bool:
    return (
        isinstance(module, nn.MultiheadAttention)
        and module.batch_first
        and module.in_proj_weight is not None
        and module.in_proj_bias is not None
        and module.bias_k is None
        and not module.add_zero_attn
    )


def _spelled_out(module: Any) -> Any:
    """A twin with the same weights, every attention of a tensor with itself replaced.

    Attention pools ask with queries of their own, and stay.
    """
    if _replaceable(module):
        return _Attention(module)
    twin = copy.copy(module)
    twin._modules = {  # the one thing that a copy must not share
        name: child if child is None or "pool" in name else _spelled_out(child)
        for name, child in module._modules.items()
    }
    return twin
