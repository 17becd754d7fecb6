"""Figures and faces drawn with known proportions, and the landmarks they would have."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tagging_assets.domain.body_colours import _EYE_OUTLINES, _FACE_OUTLINE, _IRISES
from tagging_assets.domain.skeleton import POINTS

SIZE = (200, 400)

# Shoulders 90 wide, waist 56, hips 84, torso 100 long; from the top of the head at 18 to the heels at 350.
_TORSO = [(90, 60), (110, 60), (145, 84), (145, 96), (128, 152), (128, 164), (142, 184), (142, 206), (58, 206),
          (58, 184), (72, 164), (72, 152), (55, 96), (55, 84)]  # fmt: skip
_LEGS = [[(60, 200), (98, 200), (98, 355), (74, 355)], [(102, 200), (140, 200), (126, 355), (102, 355)]]

_JOINTS: dict[str, tuple[float, float]] = {
    "nose": (100, 45),
    "left_shoulder": (135, 90),
    "right_shoulder": (65, 90),
    "left_elbow": (168, 150),
    "right_elbow": (32, 150),
    "left_wrist": (172, 205),
    "right_wrist": (28, 205),
    "left_hip": (118, 190),
    "right_hip": (82, 190),
    "left_knee": (116, 270),
    "right_knee": (84, 270),
    "left_ankle": (114, 340),
    "right_ankle": (86, 340),
    "left_heel": (114, 350),
    "right_heel": (86, 350),
}


@dataclass
class Figure:
    """A standing figure of 200 x 400 pixels; joints may be moved and hidden."""

    moved: dict[str, tuple[float, float]] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    depth: dict[str, float] = field(default_factory=dict)

    def joint(self, name: str) -> tuple[float, float]:
        return self.moved.get(name, _JOINTS[name])

    def pose(self) -> NDArray[np.float32]:
        pose = np.zeros((33, 5), np.float32)
        pose[:, 3:] = 0.99
        pose[:, :2] = np.array(_JOINTS["nose"]) / SIZE
        for name, index in POINTS.items():
            pose[index, :2] = np.array(self.joint(name)) / SIZE
            pose[index, 2] = self.depth.get(name, 0.0) / SIZE[0]
            if name in self.hidden:
                pose[index, 3] = 0.1
        return pose

    def mask(self) -> NDArray[np.uint8]:
        canvas = Image.new("L", SIZE)
        draw = ImageDraw.Draw(canvas)
        draw.ellipse((78, 18, 122, 66), fill=255)
        for shape in (_TORSO, *_LEGS):
            draw.polygon(shape, fill=255)
        for side in ("left", "right"):
            arm = [self.joint(f"{side}_{part}") for part in ("shoulder", "elbow", "wrist")]
            draw.line(arm, fill=255, width=14, joint="curve")
        return np.asarray(canvas)


def no_face() -> NDArray[np.float32]:
    """A face mesh without any shape, to put points into."""
    return np.tile(np.array([0.5, 0.5, 0.0], np.float32), (478, 1))


def _around(centre: tuple[float, float], radii: tuple[float, float], count: int) -> NDArray[np.float64]:
    """Points on an ellipse, clockwise from the top."""
    angles = 2 * np.pi * np.arange(count) / count
    return np.stack([centre[0] + radii[0] * np.sin(angles), centre[1] - radii[1] * np.cos(angles)], axis=1)


def draw_eyes(
    iris: tuple[int, int, int], radius: float = 20, lid: float = 22
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A crop of 240 x 120 with two eyes, and its face mesh.

    Args:
        iris: colour.
        radius: of the iris in pixels.
        lid: half the height of the opening between the lids.
    """
    canvas = Image.new("RGB", (240, 120), (205, 160, 135))
    draw = ImageDraw.Draw(canvas)
    face = no_face()
    for x, (centre, rim), outline in zip((65, 175), _IRISES, _EYE_OUTLINES, strict=True):
        opening = _around((x, 60), (45, lid), len(outline))
        lids = Image.new("L", canvas.size)
        ImageDraw.Draw(lids).polygon([tuple(point) for point in opening], fill=255)
        eye = Image.new("RGB", canvas.size, (228, 218, 214))
        draw = ImageDraw.Draw(eye)
        draw.ellipse((x - radius, 60 - radius, x + radius, 60 + radius), fill=iris)
        draw.ellipse((x - radius * 0.4, 60 - radius * 0.4, x + radius * 0.4, 60 + radius * 0.4), fill=(8, 8, 8))
        canvas.paste(eye, mask=lids)
        face[list(outline), :2] = opening / (240, 120)
        face[centre, :2] = np.array((x, 60)) / (240, 120)
        face[list(rim), :2] = _around((x, 60), (radius, radius), 4) / (240, 120)
    return np.asarray(canvas), face


def draw_head(
    hair: tuple[int, int, int] | None, skin: tuple[int, int, int] = (205, 160, 135)
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
    """A crop of 200 x 240 with a head, its face mesh and its silhouette; without hair the head is bald."""
    canvas, mask = Image.new("RGB", (200, 240), (90, 130, 90)), Image.new("L", (200, 240))
    crown = (40, 20, 160, 190)
    for image, fill in ((canvas, hair or skin), (mask, 255)):
        ImageDraw.Draw(image).ellipse(crown, fill=fill)
    ImageDraw.Draw(canvas).ellipse((55, 60, 145, 200), fill=skin)
    ImageDraw.Draw(mask).ellipse((55, 60, 145, 200), fill=255)
    face = no_face()
    face[list(_FACE_OUTLINE), :2] = _around((100, 130), (45, 70), len(_FACE_OUTLINE)) / (200, 240)
    for index, place in ((50, (75, 145)), (280, (125, 145)), (9, (100, 105))):
        face[index, :2] = np.array(place) / (200, 240)
    return np.asarray(canvas), face, np.asarray(mask)
