"""What moves the weights: Muon (Jordan et al. 2024) for the matrices inside the networks, AdamW for all the rest.

Muon's orthogonalisation costs half a step's time here, so each process does it for its share of the matrices and the
processes exchange what came of it. What is saved does not depend on how many processes there were.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn

HIDDEN_WEIGHT_DECAY, OTHER_WEIGHT_DECAY = 0.01, 1e-4
# Layers at the edge of a network are not a rotation of features, and stay with AdamW.
EDGES = ("first.weight", "head.weight")


class Optimiser:
    """One a process; all processes must make the same calls."""

    def __init__(self, networks: list[nn.Module], rank: int, processes: int):
        named = [pair for network in networks for pair in network.named_parameters()]
        self._rank, self._processes = rank, processes
        self._hidden = [p for name, p in named if p.ndim == 2 and name not in EDGES]
        others = [p for name, p in named if p.ndim != 2 or name in EDGES]
        self._muon = torch.optim.Muon(
            self._hidden[rank::processes],
            weight_decay=HIDDEN_WEIGHT_DECAY,
            momentum=0.95,
            adjust_lr_fn="match_rms_adamw",
        )
        self._adam = torch.optim.AdamW(others, weight_decay=OTHER_WEIGHT_DECAY, betas=(0.9, 0.98), fused=True)

    def step(self, learning_rate: float) -> None:
        """Moves the weights by their gradients, which must be the same in all processes, and forgets these."""
        for optimiser in (self._muon, self._adam):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate
            optimiser.step()
        with torch.no_grad():
            self._exchange(self._hidden)
        self.forget()

    def forget(self) -> None:
        """Drops the gradients."""
        for parameter in self._hidden:
            parameter.grad = None
        self._adam.zero_grad()

    def state_dict(self) -> dict:
        """All processes' state, in every process."""
        momenta = [self._muon.state[p].get("momentum_buffer", torch.zeros_like(p)) for p in self._hidden]
        momenta = [m.detach().clone() for m in momenta]
        self._exchange(momenta)
        return {"adam": self._adam.state_dict(), "momenta": momenta}

    def load_state_dict(self, found: dict) -> None:
        """Goes on from what `state_dict` gave."""
        self._adam.load_state_dict(found["adam"])
        for place in range(self._rank, len(self._hidden), self._processes):
            self._muon.state[self._hidden[place]]["momentum_buffer"] = found["momenta"][place].clone()

    def _exchange(self, tensors: list[Tensor]) -> None:
        if self._processes == 1:
            return
        for owner in range(self._processes):
            theirs = tensors[owner :: self._processes]
            flat = torch.cat([t.detach().reshape(-1) for t in theirs])
            dist.broadcast(flat, owner)
            for tensor, piece in zip(theirs, flat.split([t.numel() for t in theirs])):
                tensor.copy_(piece.view_as(tensor))
