"""Early stopping: training ends when the dev split's queries find no more, and the best is kept."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

logger = logging.getLogger(__name__)


@dataclass
class EarlyStopping:
    """The scores so far, and the weights that had the highest.

    Attributes:
        score: Gives the score of the model as it is; higher is better.
        patience: Scores in a row without a better one after which training ends.
        looks: How often it is scored, at even distances, beside once before the first step.
        scores: Score by the steps done before.
        best: Trained weights by name, those of the highest score, the first one if it came twice;
            in main memory, of which there is more than a GPU's.
    """

    score: Callable[[], float]
    patience: int
    looks: int
    scores: dict[int, float] = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def best_step(self) -> int:
        """Steps done before the highest score."""
        return max(self.scores, key=lambda step: (self.scores[step], -step))

    @property
    def is_over(self) -> bool:
        """Whether training is to end."""
        since = [step for step in self.scores if step > self.best_step] if self.scores else []
        return len(since) >= self.patience

    def look(self, done: int, steps: int, model: nn.Module) -> None:
        """Score the model if that is due, and keep its weights if it is the best so far.

        Args:
            done: Steps done.
            steps: Those there are if training does not end early.
            model: What `score` scores.
        """
        if done not in space_out(steps, self.looks) or done in self.scores:
            return
        self.scores[done] = self.score()
        logger.info("after %d steps: nDCG@10 %.4f on the dev split", done, self.scores[done])
        if self.best_step == done:
            self.best = {name: value.to("cpu", copy=True) for name, value in _trained(model)}

    @torch.no_grad()
    def put_back(self, model: nn.Module) -> None:
        """Give the model the weights of its highest score."""
        for name, value in _trained(model):
            value.copy_(self.best[name])

    def to_tensors(self) -> dict[str, Tensor]:
        """Return all that `restore` needs, for the training's state."""
        steps = torch.tensor(list(self.scores), dtype=torch.int64)
        scores = torch.tensor(list(self.scores.values()), dtype=torch.float64)
        best = {f"best.{name}": value for name, value in self.best.items()}
        return {"dev_steps": steps, "dev_scores": scores, **best}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `to_tensors` returned; other tensors are ignored."""
        steps, scores = tensors["dev_steps"].tolist(), tensors["dev_scores"].tolist()
        self.scores = dict(zip(steps, scores, strict=True))
        self.best = {
            name.removeprefix("best."): value
            for name, value in tensors.items()
            if name.startswith("best.")
        }


def space_out(steps: int, looks: int) -> frozenset[int]:
    """Return after how many of `steps` steps to look, `looks` times and before the first.

    >>> sorted(space_out(10, 4))
    [0, 2, 5, 8, 10]
    """
    return frozenset({0, *(round(steps * look / looks) for look in range(1, looks + 1))})


def _trained(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [
        (name, value.detach()) for name, value in model.named_parameters() if value.requires_grad
    ]
