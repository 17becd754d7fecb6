"""WD taggers v2 and v3 (SmilingWolf), straight from their ONNX file and ``selected_tags.csv``.

What does not belong here: what the tag table says (``tagging_assets.domain.booru``), and from which score on a label
counts (the knobs ``threshold_…`` of the catalogue, by ``source_cards``).
"""

import functools
import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from resources.inference import Inference
from resources.model_in_use import ModelInUse
from resources.model_notes import Preprocessing
from resources.picture_model import PictureModel
from resources.preprocessing import fitted
from resources.self_testing import check_tagger
from resources.source_cards import THRESHOLD
from tagging_assets.domain.booru import TagTable, read_tag_table
from tagging_assets.domain.errors import WeightsCorrupt
from tagging_assets.domain.models import LabelScore, ModelCard, RgbImage

#: Scores below say nothing: thousands of labels lie there.
SCORE_FLOOR = 0.05


def pad_and_scale(image: RgbImage, size: int) -> NDArray[np.float32]:
    """A picture as WD taggers were shown theirs: white around it to a square, bicubic, BGR, 0 to 255.

    The steps and their order are those of the taggers' own demonstration.

    Args:
        image: upright sRGB (h, w, 3) uint8.
        size: side of the model's input, pixels.

    Returns:
        (size, size, 3) float32.
    """
    # Bytes stay what they are, so that only their type and order change.
    made: NDArray[np.float32] = fitted(image, _as_shown(size))[:, :, ::-1].astype(np.float32, order="C")
    return made


@functools.cache
def _as_shown(size: int) -> Preprocessing:
    return Preprocessing(height=size, width=size, fit="square", interpolation="bicubic", fill=(255, 255, 255))


class WdTagger(PictureModel):
    """Implements ``Tagger``: Danbooru's general tags, characters, and one rating per picture (see ``booru``).

    Args:
        model: entry with a file ``model`` (NHWC, float32; its output are probabilities) and a file ``labels``.
        inference: in place of the model's own; for tests.
    """

    def __init__(self, model: ModelInUse, *, inference: Inference | None = None) -> None:
        super().__init__(model, inference=inference)
        self._table: TagTable | None = None
        self._lock = threading.Lock()

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights; thresholds decide about scores, and make none."""
        card = self._model.card({"score_floor": SCORE_FLOOR})
        makes = {name: value for name, value in card.parameters.items() if not name.startswith(THRESHOLD)}
        return replace(card, parameters=makes)

    @property
    def side(self) -> int:
        """Pixels of the model's input, each way; opens it.

        Raises:
            WeightsCorrupt: it does not take what WD taggers take.
            ModelError: it cannot be had.
        """
        shape = next(iter(self._inference.session.inputs.values()))
        if len(shape) != 4 or shape[3] != 3 or not isinstance(shape[1], int) or shape[1] != shape[2]:
            raise WeightsCorrupt(
                f"{self._model.entry.name} takes {'x'.join(map(str, shape))}, not a batch of square pictures with "
                "channels last: it is no WD tagger; choose another adapter for it"
            )
        return shape[1]

    @property
    def table(self) -> TagTable:
        """What its outputs are about.

        Raises:
            ModelError: the file cannot be had, or is no tag table.
        """
        with self._lock:
            if self._table is None:
                self._table = self._read_table()
            return self._table

    def prepare(self, image: RgbImage) -> NDArray[np.float32]:
        """One picture's input, (side, side, 3) float32; see :func:`pad_and_scale`."""
        return pad_and_scale(image, self.side)

    def tag(self, images: Sequence[RgbImage]) -> list[list[LabelScore]]:
        """Per image the labels from 0.05 on, best first; raw probabilities.

        Raises:
            WeightsCorrupt: table and model do not belong together.
            ModelFailed: it finds nothing in the photo of its self-test, or the runtime fails.
            ModelError: the files cannot be had.
        """
        if not images:
            return []
        table = self.table
        scored = self._inference.run([self.prepare(image) for image in images])
        return [table.read(np.asarray(outputs[0], np.float32), SCORE_FLOOR) for outputs in scored]

    def _check(self, _: Inference) -> None:
        check_tagger(self._model.entry, self.tag)

    def _read_table(self) -> TagTable:
        # The catalogue's own file whatever the precision: tags do not change with it.
        entry = self._model.entry
        file = next((one for one in entry.files if one.role == "labels"), None)
        if file is None:
            raise WeightsCorrupt(f"{entry.name} has no tag table; give its entry a file with the role labels")
        path = self._model.store.path(entry.name, file.name)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise WeightsCorrupt(f"{path.name} of {entry.name} cannot be read; pull the model again") from error
        return TagTable(read_tag_table(text, f"{path.name} of {entry.name}"))
