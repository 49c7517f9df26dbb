"""Whisper's three parts as torch modules whose forward is the exported graph (Radford et al. 2022, arXiv:2212.04356).

They compute what the original computes, arranged for a phone: the log-mel frontend is a graph, the encoder also emits
every decoder layer's cross-attention keys and values (so that they are computed once a window), and the decoder is one
graph for prefill and step. A batch in the decoder is a set of hypotheses (beams, samples) about each of W windows, in
order of the windows. Cross-attention keys and values have no axis for hypotheses and are never copied for them; those
of several windows lie one behind the other along the axis of heads.

Notation in shapes: F mel frames (100 a second), T = ceil(F / 2) encoder positions, W windows, B hypotheses of all of
them, L new tokens, P past tokens, H heads, D width of a head (64), C = H * D.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.common.lazy import NDArray, np
from edgekit.models.common.mel import mel_filters
from edgekit.models.whisper.shapes import HOP, N_FFT, Shape

State = Mapping[str, NDArray[np.floating]]


class Frontend(nn.Module):
    """Raw audio to log-mel features; the short-time Fourier transform is a convolution with a windowed DFT basis.

    forward: audio float32 [1, samples] at 16 kHz (at least N_FFT // 2 + 1 of them) → float32 [1, mels, samples // HOP].
    """

    basis: Tensor
    filters: Tensor

    def __init__(self, mels: int) -> None:
        super().__init__()
        n = np.arange(N_FFT)
        # Angles by integer arithmetic first: float64 of k*n*2π loses digits that the 1e-4 parity needs.
        turns = (np.arange(N_FFT // 2 + 1)[:, None] * n[None, :]) % N_FFT
        window = 0.5 - 0.5 * np.cos(2.0 * np.pi * n / N_FFT)
        basis = np.concatenate([np.cos(2 * np.pi * turns / N_FFT), -np.sin(2 * np.pi * turns / N_FFT)]) * window
        self.register_buffer("basis", torch.tensor(basis[:, None, :], dtype=torch.float32))
        self.register_buffer("filters", torch.tensor(mel_filters(mels)))
        self.bins = N_FFT // 2 + 1

    def forward(self, audio: Tensor) -> Tensor:
        padded = F.pad(audio[:, None, :], (N_FFT // 2, N_FFT // 2), mode="reflect")
        # The original drops the last frame.
        spectrum = F.conv1d(padded, self.basis, stride=HOP)[:, :, :-1]
        power = spectrum[:, : self.bins] ** 2 + spectrum[:, self.bins :] ** 2
        log = torch.clamp(self.filters @ power, min=1e-10).log10()
        log = torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) - 8.0)
        return (log + 4.0) / 4.0


class Linear(nn.Module):
    """Weights [outputs, inputs] and bias [outputs] by name; `scale` is folded into both."""

    def __init__(self, state: State, name: str, scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(_tensor(state, f"{name}.weight") * scale, requires_grad=False)
        self.bias = nn.Parameter(_tensor(state, f"{name}.bias") * scale, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


class Norm(nn.LayerNorm):
    """Layer normalisation with weights by name."""

    def __init__(self, state: State, name: str) -> None:
        weight = _tensor(state, f"{name}.weight")
        super().__init__(weight.shape[0])
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = nn.Parameter(_tensor(state, f"{name}.bias"), requires_grad=False)


class FusedProjection(nn.Module):
    """Several projections of the same input as one matrix: fewer, larger products."""

    def __init__(self, parts: list[Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.cat([part.weight for part in parts]), requires_grad=False)
        self.bias = nn.Parameter(torch.cat([part.bias for part in parts]), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


def fused_qkv(state: State, name: str, head: int) -> FusedProjection:
    """Query (scaled by 1/sqrt(D)), key and value projections of a self-attention."""
    query = Linear(state, f"{name}.q_proj", head**-0.5)
    return FusedProjection([query, Linear(state, f"{name}.k_proj"), Linear(state, f"{name}.v_proj")])


class Mlp(nn.Module):
    def __init__(self, state: State, name: str) -> None:
        super().__init__()
        self.norm = Norm(state, f"{name}.final_layer_norm")
        self.up = Linear(state, f"{name}.fc1")
        self.down = Linear(state, f"{name}.fc2")

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down(F.gelu(self.up(self.norm(x))))
        return out


class EncoderLayer(nn.Module):
    def __init__(self, state: State, name: str, shape: Shape) -> None:
        super().__init__()
        self.heads, self.head = shape.heads, shape.head
        self.norm = Norm(state, f"{name}.self_attn_layer_norm")
        self.qkv = fused_qkv(state, f"{name}.self_attn", shape.head)
        self.out = Linear(state, f"{name}.self_attn.out_proj")
        self.mlp = Mlp(state, name)

    def forward(self, x: Tensor) -> Tensor:
        # Head by head: the scores of one head (9 MB at 30 s) stay in the cache, those of all heads together would not,
        # and are what makes the memory of a transcription peak.
        pieces = self.qkv(self.norm(x)).split(self.head, dim=-1)
        queries, keys, values = (pieces[i * self.heads : (i + 1) * self.heads] for i in range(3))
        mixed = [
            torch.softmax(q @ k.transpose(-1, -2), dim=-1) @ v for q, k, v in zip(queries, keys, values, strict=True)
        ]
        x = x + self.out(torch.cat(mixed, dim=-1))
        out: Tensor = x + self.mlp(x)
        return out


class Encoder(nn.Module):
    """Log-mel to every decoder layer's cross-attention keys and values.

    forward: mel float32 [1, mels, F], F even and at most 3000 → for each decoder layer, keys float32 [H, D, T]
    (transposed, as the product with the query wants them) and values float32 [H, T, D].
    """

    positions: Tensor

    def __init__(self, state: State, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.conv1 = _conv(state, "encoder.conv1", 1)
        self.conv2 = _conv(state, "encoder.conv2", 2)
        self.register_buffer("positions", _tensor(state, "encoder.embed_positions.weight"))
        self.layers = nn.ModuleList(
            EncoderLayer(state, f"encoder.layers.{i}", shape) for i in range(shape.encoder_layers)
        )
        self.norm = Norm(state, "encoder.layer_norm")
        # A product for each layer: those of all layers at once would lie in memory twice, whole and in pieces.
        attentions = [f"decoder.layers.{i}.encoder_attn" for i in range(shape.decoder_layers)]
        self.cross = nn.ModuleList(
            FusedProjection([Linear(state, f"{name}.{part}_proj") for part in "kv"]) for name in attentions
        )

    def hidden(self, mel: Tensor) -> Tensor:
        """The encoder's own output, float32 [1, T, C]."""
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2)
        x = x + self.positions[: x.shape[1]]
        for layer in self.layers:
            x = layer(x)
        out: Tensor = self.norm(x)
        return out

    def forward(self, mel: Tensor) -> tuple[Tensor, ...]:
        x = self.hidden(mel)
        made = list[Tensor]()
        for projection in self.cross:
            key, value = projection(x).reshape(-1, 2, self.shape.heads, self.shape.head).unbind(1)
            made += [key.permute(1, 2, 0), value.transpose(0, 1)]
        return tuple(made)


class DecoderLayer(nn.Module):
    def __init__(self, state: State, name: str, shape: Shape) -> None:
        super().__init__()
        self.heads, self.head = shape.heads, shape.head
        self.norm = Norm(state, f"{name}.self_attn_layer_norm")
        self.qkv = fused_qkv(state, f"{name}.self_attn", shape.head)
        self.out = Linear(state, f"{name}.self_attn.out_proj")
        self.cross_norm = Norm(state, f"{name}.encoder_attn_layer_norm")
        self.cross_query = Linear(state, f"{name}.encoder_attn.q_proj", shape.head**-0.5)
        self.cross_out = Linear(state, f"{name}.encoder_attn.out_proj")
        self.mlp = Mlp(state, name)

    def forward(
        self, x: Tensor, mask: Tensor, past: tuple[Tensor, Tensor], cross: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The output [B, L, C], present key and value, and the queries of the cross-attention [W, H, B / W * L, D]."""
        batch, new, width = x.shape
        q, k, v = self.qkv(self.norm(x)).split(width, dim=-1)
        q, k, v = (t.reshape(batch, new, self.heads, self.head).transpose(1, 2) for t in (q, k, v))
        key, value = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        mixed = torch.softmax(q @ key.transpose(-1, -2) + mask, dim=-1) @ value
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, new, width))
        # Hypotheses about the same window: fold them into the query axis, one product a head and window.
        windows = cross[0].shape[0] // self.heads
        query = self.cross_query(self.cross_norm(x)).reshape(windows, -1, self.heads, self.head).transpose(1, 2)
        mixed = torch.softmax(query.flatten(0, 1) @ cross[0], dim=-1) @ cross[1]
        mixed = mixed.reshape(windows, self.heads, -1, self.head).transpose(1, 2)
        x = x + self.cross_out(mixed.reshape(batch, new, width))
        return x + self.mlp(x), key, value, query


class Decoder(nn.Module):
    """Tokens to next-token logits, for prefill (P = `blanks`) and for every step after it.

    forward takes tokens int64 [B, L], and select int64 [S]: which of the L positions need logits. Then come past key
    and value of each layer, float32 [B, H, P, D], and cross key [W * H, D, T] and value [W * H, T, D] of each layer.
    The first `blanks` entries of a past hold anything finite, and nothing reads them.

    It gives logits float32 [B, S, vocabulary], then present key and value of each layer, float32 [B, H, P + L, D]. Last
    are the queries of the A heads whose cross-attention follows the sound (`Shape.alignment_heads`), float32
    [A, B, L, D]. With the cross keys these give the times of words; where no times are wanted, they cost a copy.

    Logits have a mean of 0. What the original's have in common no softmax sees, but it is up to twenty times what they
    differ by: it would hide errors from a relative measure, and where it is nearly 0 make much of them.
    """

    positions: Tensor
    balance: Tensor

    def __init__(self, state: State, shape: Shape, *, balanced: bool = False, blanks: int = 0) -> None:
        """`balanced`: the columns of the embedding are made more alike (by powers of two: nothing is lost), and what
        they were is put back beside it. Where one scale serves a row, it then loses less. `blanks`: for runtimes that
        take no empty array.
        """
        super().__init__()
        self.shape, self.blanks = shape, blanks
        # One matrix for embedding and projection, stored as the projection wants it: [vocabulary, C].
        embedding = _tensor(state, "decoder.embed_tokens.weight")
        positions = _tensor(state, "decoder.embed_positions.weight")
        # Its rows are mostly their mean, in which scales of int8 would be lost: the positions can hold it instead.
        mean = embedding.double().mean(0)
        embedding, positions = (embedding - mean).float(), (positions + mean).float()
        # Wholly alike they lose more of the logits; three quarters of the way was best on real calls.
        most = embedding.abs().amax(0).clamp(min=1e-6)
        balance = torch.exp2((0.75 * most.log2()).round()) if balanced else None
        self.embedding = nn.Parameter(embedding if balance is None else embedding / balance, requires_grad=False)
        self.register_buffer("positions", positions)
        self.layers = nn.ModuleList(
            DecoderLayer(state, f"decoder.layers.{i}", shape) for i in range(shape.decoder_layers)
        )
        self.norm = Norm(state, "decoder.layer_norm")
        self.balanced = balance is not None
        if balance is not None:
            self.register_buffer("balance", balance)
            for parameter in (self.norm.weight, self.norm.bias):
                parameter.mul_(balance)

    def forward(self, tokens: Tensor, select: Tensor, *caches: Tensor) -> tuple[Tensor, ...]:
        layers = self.shape.decoder_layers
        past, cross = caches[: 2 * layers], caches[2 * layers :]
        before, new = past[0].shape[2], tokens.shape[1]
        x = F.embedding(tokens, self.embedding)
        at = before - self.blanks
        x = (x * self.balance if self.balanced else x) + self.positions[at : at + new]
        seen = torch.arange(before + new)
        mask = (seen[None, :] > torch.arange(before, before + new)[:, None]).to(torch.float32)
        if self.blanks:
            mask = mask + (seen < self.blanks).to(torch.float32)
        # Enough for a softmax to make nothing of it, and in fp16 a number, too: the neural engine may take no infinity.
        mask = mask * -3e4
        present: list[Tensor] = []
        queries: list[Tensor] = []
        for i, layer in enumerate(self.layers):
            x, key, value, query = layer(x, mask, (past[2 * i], past[2 * i + 1]), (cross[2 * i], cross[2 * i + 1]))
            present += [key, value]
            queries += [query[:, head] for at, head in self.shape.alignment_heads if at == i]
        logits = F.linear(self.norm(x.index_select(1, select)), self.embedding)
        aligned = torch.stack(queries).reshape(len(queries), tokens.shape[0], new, self.shape.head)
        return (logits, *present, aligned)


def _tensor(state: State, name: str) -> Tensor:
    return torch.from_numpy(np.array(state[name], dtype=np.float32))


def _conv(state: State, name: str, stride: int) -> nn.Conv1d:
    weight = _tensor(state, f"{name}.weight")
    conv = nn.Conv1d(weight.shape[1], weight.shape[0], 3, stride=stride, padding=1)
    conv.weight = nn.Parameter(weight, requires_grad=False)
    conv.bias = nn.Parameter(_tensor(state, f"{name}.bias"), requires_grad=False)
    return conv
