"""Linear layers by oneDNN, with their weights in its own layout: the same float32 products, where MKL (what PyTorch
takes otherwise) has no AVX-512 kernels for the processor in less than half the time."""

import torch
from torch import Tensor, nn

# Two orders of the same float32 sums differ by less; another arithmetic (bfloat16, TF32) by a hundred times more.
_TOLERANCE = 1e-5


class PackedLinear(nn.Module):
    """A linear layer for inference: (..., in) to (..., out), float32."""

    def __init__(self, linear: nn.Linear) -> None:
        """Raises RuntimeError or AttributeError where this PyTorch has no oneDNN for this processor."""
        super().__init__()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), None)
        self._bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, rows: Tensor) -> Tensor:
        product: Tensor = torch.ops.mkldnn._linear_pointwise(rows, self._weight, self._bias, "none", [], "")
        return product


def pack(model: nn.Module) -> int:
    """Puts a PackedLinear in the place of each float32 linear layer of a model that stays on the processor, and says
    how many. A layer for which oneDNN is missing, or gives another answer, stays as it is."""
    done = 0
    for name, child in list(model.named_children()):
        packed = _packed(child) if type(child) is nn.Linear else None
        if packed is None:
            done += pack(child)
        else:
            setattr(model, name, packed)
            done += 1
    return done


@torch.inference_mode()
def _packed(linear: nn.Linear) -> PackedLinear | None:
    if linear.weight.dtype != torch.float32 or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    rows = torch.linspace(-1.0, 1.0, 5 * linear.in_features).reshape(5, linear.in_features).sin()
    expected = linear(rows)
    try:
        packed = PackedLinear(linear)
        found = packed(rows)
    except (RuntimeError, AttributeError):
        return None
    near = float((found - expected).abs().max()) <= _TOLERANCE * max(1.0, float(expected.abs().max()))
    return packed if near else None
