"""Numbers that are the same under every PyTorch: the inputs with which fixtures are made and tested."""

from __future__ import annotations

from typing import Any, List, Sequence


def numbers(count: int, seed: int = 0) -> List[float]:
    """``count`` numbers between -1 and 1, exact in float32."""
    state, found = 12345 + seed, []
    for _ in range(count):
        state = (1103515245 * state + 12345) % (1 << 31)
        found.append((state >> 15) / 32768.0 - 1.0)
    return found


def tensor(torch: Any, shape: Sequence[int], seed: int = 0) -> Any:
    """Such numbers in a tensor of either PyTorch."""
    count = 1
    for length in shape:
        count *= length
    return torch.tensor(numbers(count, seed), dtype=torch.float32).reshape(list(shape))
