"""Linear layers on oneDNN, with weights in oneDNN's own layout: the same float32 products in less than half the time on
processors for which MKL, PyTorch's default, has no AVX-512 kernels."""

import torch
from torch import Tensor, nn

# Float32 sums in another order differ by less; reduced precision (bfloat16, TF32) by a hundred times more.
_TOLERANCE = 1e-5


class OneDnnLinear(nn.Module):
    """A linear layer for inference: (..., in) to (..., out), float32."""

    def __init__(self, linear: nn.Linear) -> None:
        """Raise RuntimeError or AttributeError if this PyTorch has no oneDNN for this processor."""
        super().__init__()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), None)
        self._bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, rows: Tensor) -> Tensor:
        product: Tensor = torch.ops.mkldnn._linear_pointwise(rows, self._weight, self._bias, "none", [], "")
        return product


def use_onednn_linear(model: nn.Module, tolerance: float = _TOLERANCE) -> int:
    """Replace each float32 linear layer of a model on the CPU by a OneDnnLinear, and return their number. A layer stays
    as it is if oneDNN is missing or computes another result."""
    done = 0
    for name, child in list(model.named_children()):
        packed = _onednn_linear(child, tolerance) if type(child) is nn.Linear else None
        if packed is None:
            done += use_onednn_linear(child, tolerance)
        else:
            setattr(model, name, packed)
            done += 1
    return done


@torch.inference_mode()
def _onednn_linear(linear: nn.Linear, tolerance: float) -> OneDnnLinear | None:
    if linear.weight.dtype != torch.float32 or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    rows = torch.linspace(-1.0, 1.0, 5 * linear.in_features).reshape(5, linear.in_features).sin()
    expected = linear(rows)
    try:
        packed = OneDnnLinear(linear)
        found = packed(rows)
    except (RuntimeError, AttributeError):
        return None
    near = float((found - expected).abs().max()) <= tolerance * max(1.0, float(expected.abs().max()))
    return packed if near else None
