"""What each profile spends a job's time on."""

from dataclasses import dataclass
from typing import Final

from worker.job.options import Profile


@dataclass(frozen=True)
class Recipe:
    """`views` of each photo: the whole photo and augmented ones; `epochs` of fine-tuning on them, 0 for none.

    `features_share` is the share of a time budget that features may take; the rest is for what is trained on them.
    """

    views: int
    epochs: int
    features_share: float


RECIPES: Final = {
    Profile.QUICK: Recipe(views=2, epochs=0, features_share=0.9),
    Profile.STANDARD: Recipe(views=3, epochs=4, features_share=0.4),
    Profile.THOROUGH: Recipe(views=8, epochs=15, features_share=0.3),
}
