"""Pose, silhouette and face of one person, by MediaPipe Tasks on the CPU.

Two bundles do the work: BlazePose (33 points and a segmentation mask; Bazarevsky et al., "BlazePose: On-device
Real-time Body Pose tracking", CV4ARVR 2020) and the face mesh with irises (478 points; Kartynnik et al.,
"Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", CV4ARVR 2019; Ablavatski et al.,
"Real-time Pupil Tracking from Monocular Video for Digital Puppetry", CV4ARVR 2020).

What does not belong here: judging what the points mean (``tagging_assets.domain.person`` and
``tagging_assets.domain.body_features``), and cutting the crop out of the photo.
"""

import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resources.weights import WeightsStore
from tagging_assets.domain.errors import ModelFailed
from tagging_assets.domain.models import Box, ModelCard, PersonLandmarks, RgbImage, Wanted

POSE_ENTRY = "mediapipe-pose-full"
FACE_ENTRY = "mediapipe-face"

#: Version of everything done to a crop before the models see it.
PREPROCESSING = "square-pad-512/1"

#: Crops are padded to a square: a square is what both graphs project landmarks from without error, and its side
#: is a multiple of 4, which `MPImage.numpy_view()` needs (on any other width of a float mask it aborts the
#: process). 512 pixels are twice what the pose network itself looks at.
_POSE_SIDE = 512

#: Faces are looked for at the crop's own resolution within these bounds, so that irises keep their pixels.
_FACE_SIDES = (256, 1024)

#: Low floors: an unsure pose or face is weak evidence, and what evidence is worth is decided in the domain.
_MIN_POSE = 0.3
_MIN_FACE = 0.4

#: Smaller crops hold no person that either model could know.
_MIN_SIDE = 8

#: Face points of the pose topology: nose, eyes, ears, mouth.
_HEAD = slice(0, 11)

_PROVIDER = "CPUExecutionProvider (MediaPipe)"
_SYSTEM_LIBRARIES = "libgl1 libegl1 libgles2 libglib2.0-0"

#: What TensorFlow Lite, abseil and the graph itself say once per process, at warning level and below.
_CHATTER = re.compile(
    rb"^(INFO: (Created|Initialized) TensorFlow Lite|WARNING: All log messages before absl"
    rb"|[IW]\d{4} [\d:. ]+\S+\.cc:\d+\])"
)

#: Only one thread at a time may put its own file in the place of file descriptor 2.
_STDERR_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Tasks:
    """A pose and a face landmarker: MediaPipe objects, whose package has no types."""

    pose: Any
    face: Any

    def close(self) -> None:
        for task in (self.pose, self.face):
            # After the interpreter has shut its thread pools MediaPipe cannot close any more; the system will.
            with contextlib.suppress(RuntimeError):
                task.close()


@dataclass(frozen=True, slots=True)
class _Canvas:
    """A region of the crop on a square, and the way back to the crop's [0, 1] coordinates."""

    pixels: RgbImage
    scale: float
    offset: tuple[int, int]
    origin: tuple[float, float]
    crop_size: tuple[int, int]

    def to_crop(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map x, y, z (columns 0-2, relative to the canvas) to the crop, in place of the first three columns."""
        side, (width, height) = self.pixels.shape[0], self.crop_size
        mapped = points.copy()
        mapped[:, 0] = ((points[:, 0] * side - self.offset[0]) / self.scale + self.origin[0]) / width
        mapped[:, 1] = ((points[:, 1] * side - self.offset[1]) / self.scale + self.origin[1]) / height
        mapped[:, 2] = points[:, 2] * side / self.scale / width
        return mapped


class MediaPipeLandmarker:
    """Finds pose, face and silhouette in a crop of one person; implements the ``Landmarker`` protocol.

    Bundles are loaded at the first call, once; the native landmarkers are kept and lent to one caller at a time
    (creating one costs four times what a crop does). As many pairs exist as callers ever ran at once. Close it,
    or use it as a context manager; a forgotten one is harmless at interpreter exit.

    Args:
        pose_path: gives the pose bundle (``.task``), fetching it if need be.
        face_path: gives the face bundle (``.task``).
        card: identity of the weights; preprocessing and floors are added here, where they are decided.
    """

    def __init__(self, pose_path: Callable[[], Path], face_path: Callable[[], Path], card: ModelCard) -> None:
        self._pose_path = pose_path
        self._face_path = face_path
        floors = {"pose_floor": _MIN_POSE, "face_floor": _MIN_FACE}
        self._card = replace(card, preprocessing=PREPROCESSING, parameters={**card.parameters, **floors})
        self._lock = threading.Lock()
        self._idle: list[_Tasks] = []
        self._provider = "not loaded"
        self._closed = False
        self._said_all = False

    @classmethod
    def from_weights(cls, store: WeightsStore, pose: str = POSE_ENTRY, face: str = FACE_ENTRY) -> "MediaPipeLandmarker":
        """The landmarker of two entries of the catalogue; fetches nothing yet.

        Args:
            store: where the bundles are kept.
            pose: entry of the pose bundle.
            face: entry of the face bundle.
        """
        revision = "+".join(store.card(entry).revision for entry in (pose, face))
        card = ModelCard(f"{pose}+{face}", revision, PREPROCESSING)
        return cls(lambda: store.path(pose), lambda: store.path(face), card)

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights."""
        return self._card

    @property
    def provider(self) -> str:
        """What really runs; ``not loaded`` before the first call."""
        return self._provider

    def landmarks(self, crop: RgbImage, wanted: Wanted = "parts") -> PersonLandmarks:
        """Landmarks of the most prominent person of the crop.

        Args:
            crop: (h, w, 3) uint8 upright sRGB.
            wanted: makes no difference here, where one look gives all there is.

        Returns:
            Pose, face and mask, each ``None`` where nothing was found. Points may lie outside [0, 1] where the
            model continues a body beyond the crop. The mask's long side is 512.

        Raises:
            ModelFailed: a bundle or a system library cannot be loaded, or MediaPipe refused to run.
            ValueError: the crop is not an RGB image of ``uint8``.
        """
        if crop.ndim != 3 or crop.shape[2] != 3 or crop.dtype != np.uint8:
            raise ValueError(f"a crop is (h, w, 3) uint8, not {crop.shape} {crop.dtype}")
        if min(crop.shape[:2]) < _MIN_SIDE:
            return PersonLandmarks(pose=None, face=None, mask=None)
        # The last of the one-time messages comes with the first landmarks that are projected.
        quiet = contextlib.nullcontext() if self._said_all else _without_chatter()
        with self._borrowed() as tasks, quiet:
            try:
                pose, mask = _find_pose(tasks.pose, crop)
                face = _find_face(tasks.face, crop, pose)
            except (RuntimeError, ValueError) as error:
                size = f"{crop.shape[1]}x{crop.shape[0]}"
                raise ModelFailed(f"MediaPipe could not read a {size} crop: {_one_line(error)}") from error
        self._said_all = self._said_all or (pose is not None and face is not None)
        return PersonLandmarks(pose=pose, face=face, mask=mask)

    def close(self) -> None:
        """Free the native landmarkers; later calls raise."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for tasks in idle:
            tasks.close()

    def __enter__(self) -> "MediaPipeLandmarker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _borrowed(self) -> Iterator[_Tasks]:
        with self._lock:
            if self._closed:
                raise ModelFailed("the landmarker is closed; make a new one")
            tasks = self._idle.pop() if self._idle else self._load()
        try:
            yield tasks
        finally:
            with self._lock:
                keep = not self._closed
                if keep:
                    self._idle.append(tasks)
            if not keep:
                tasks.close()

    def _load(self) -> _Tasks:
        pose_path, face_path = self._pose_path(), self._face_path()
        with _without_chatter():
            tasks = _create(pose_path, face_path)
        self._provider = _PROVIDER
        return tasks


def check_importable() -> None:
    """See whether MediaPipe and the system libraries under it are there.

    Raises:
        ModelFailed: one is missing; the message says how to install it.
    """
    try:
        import mediapipe.tasks.python.vision  # noqa: F401 - whether it loads is the question
    except (ImportError, OSError) as error:
        raise ModelFailed(_why_not_importable(error)) from error


def _create(pose_path: Path, face_path: Path) -> _Tasks:
    """Load both bundles and run them once, which is when the last of the start-up messages comes."""
    check_importable()
    from mediapipe.tasks.python import vision
    from mediapipe.tasks.python.core.base_options import BaseOptions

    try:
        pose = _closing_quietly(
            vision.PoseLandmarker.create_from_options(
                vision.PoseLandmarkerOptions(
                    base_options=BaseOptions(model_asset_path=str(pose_path)),
                    output_segmentation_masks=True,
                    min_pose_detection_confidence=_MIN_POSE,
                    min_pose_presence_confidence=_MIN_POSE,
                )
            )
        )
        face = _closing_quietly(
            vision.FaceLandmarker.create_from_options(
                vision.FaceLandmarkerOptions(
                    base_options=BaseOptions(model_asset_path=str(face_path)),
                    min_face_detection_confidence=_MIN_FACE,
                    min_face_presence_confidence=_MIN_FACE,
                )
            )
        )
        grey = _mp_image(np.full((64, 64, 3), 114, np.uint8))
        pose.detect(grey)
        face.detect(grey)
    except (RuntimeError, ValueError, FileNotFoundError) as error:
        names = f"{pose_path.name} and {face_path.name}"
        raise ModelFailed(f"MediaPipe cannot load {names}: {_one_line(error)}; run `tagging models verify`") from error
    except OSError as error:
        raise ModelFailed(_why_not_importable(error)) from error
    return _Tasks(pose, face)


def _why_not_importable(error: ImportError | OSError) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"MediaPipe is not installed ({error}); run `pip install 'mediapipe>=0.10.35,<1.0'`"
    return (
        f"MediaPipe misses a system library ({_one_line(error)}); on Debian run `apt-get install {_SYSTEM_LIBRARIES}`"
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _closing_quietly(task: Any) -> Any:
    """Give a task a ``__del__`` that knows about interpreter exit; MediaPipe's own raises there."""

    def close(self: Any) -> None:
        if not sys.is_finalizing():
            with contextlib.suppress(RuntimeError):
                self.close()

    task.__class__ = type(f"Quiet{type(task).__name__}", (type(task),), {"__del__": close})
    return task


def _mp_image(pixels: RgbImage) -> Any:
    from mediapipe import Image as MpImage
    from mediapipe import ImageFormat

    return MpImage(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(pixels))


def _find_pose(task: Any, crop: RgbImage) -> tuple[NDArray[np.float32] | None, NDArray[np.uint8] | None]:
    canvas = _canvas(crop, (0, 0, crop.shape[1], crop.shape[0]), _POSE_SIDE)
    result = task.detect(_mp_image(canvas.pixels))
    if not result.pose_landmarks:
        return None, None
    points = np.array(
        [(p.x, p.y, p.z, p.visibility or 0.0, p.presence or 0.0) for p in result.pose_landmarks[0]],
        np.float32,
    )
    mask = None
    if result.segmentation_masks:
        left, top = canvas.offset
        width = max(1, round(crop.shape[1] * canvas.scale))
        height = max(1, round(crop.shape[0] * canvas.scale))
        square = result.segmentation_masks[0].numpy_view().reshape(_POSE_SIDE, _POSE_SIDE)
        mask = np.rint(square[top : top + height, left : left + width] * 255).clip(0, 255).astype(np.uint8)
    return canvas.to_crop(points), mask


def _find_face(task: Any, crop: RgbImage, pose: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """Look where the pose says the head is, then in the whole crop, then in its upper part.

    The detector is a short-range one (faces above about an eighth of the picture), so that the head alone,
    enlarged, finds faces that a standing person's crop does not.
    """
    for region in _face_regions(crop, pose):
        side = round(max(region[2] - region[0], region[3] - region[1]))
        low, high = _FACE_SIDES
        canvas = _canvas(crop, region, min(max(side, low), high) // 4 * 4)
        result = task.detect(_mp_image(canvas.pixels))
        if result.face_landmarks:
            points = np.array([(p.x, p.y, p.z) for p in result.face_landmarks[0]], np.float32)
            return canvas.to_crop(points)
    return None


def _face_regions(crop: RgbImage, pose: NDArray[np.float32] | None) -> list[Box]:
    height, width = crop.shape[:2]
    regions: list[Box] = []
    if pose is not None:
        points = pose[_HEAD, :2] * (width, height)
        centre = points.mean(axis=0)
        # From ear to ear is about two thirds of a head's height; three times it leaves the detector some air.
        half = 1.5 * float(max(np.ptp(points[:, 0]), np.ptp(points[:, 1])))
        x0, y0 = max(0.0, centre[0] - half), max(0.0, centre[1] - half)
        x1, y1 = min(float(width), centre[0] + half), min(float(height), centre[1] + half)
        if min(x1 - x0, y1 - y0) >= _MIN_SIDE:
            regions.append((x0, y0, x1, y1))
    regions.append((0.0, 0.0, float(width), float(height)))
    if height > 1.5 * width:
        regions.append((0.0, 0.0, float(width), float(width)))
    return regions


def _canvas(crop: RgbImage, region: Box, side: int) -> _Canvas:
    """Scale a region of the crop so that its long side is ``side``, and centre it on a black square."""
    x0, y0 = int(region[0]), int(region[1])
    x1, y1 = max(x0 + 1, round(region[2])), max(y0 + 1, round(region[3]))
    part = crop[y0:y1, x0:x1]
    scale = side / max(part.shape[:2])
    width, height = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    if (width, height) != (part.shape[1], part.shape[0]):
        part = np.asarray(Image.fromarray(part).resize((width, height), Image.Resampling.BILINEAR))
    left, top = (side - width) // 2, (side - height) // 2
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[top : top + height, left : left + width] = part
    return _Canvas(pixels, scale, (left, top), (float(x0), float(y0)), (crop.shape[1], crop.shape[0]))


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep native start-up messages off stderr; anything else that was written meanwhile is passed on after.

    MediaPipe logs to file descriptor 2 from C++, with no switch that its Python package exposes.
    """
    with _STDERR_LOCK, tempfile.TemporaryFile() as caught:
        sys.stderr.flush()
        original = os.dup(2)
        try:
            os.dup2(caught.fileno(), 2)
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            caught.seek(0)
            kept = b"".join(line for line in caught if not _CHATTER.match(line))
            if kept:
                os.write(original, kept)
            os.close(original)
