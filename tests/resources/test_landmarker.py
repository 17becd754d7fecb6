import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resources.landmarker import MediaPipeLandmarker
from resources.weights import WeightsStore
from tagging_assets.domain.errors import ModelFailed
from tagging_assets.domain.landmarks import landmark_rows
from tagging_assets.domain.models import Landmarker, ModelCard, PersonLandmarks, RgbImage

# Boxes of whole people, by hand.
BUS_MAN = (48, 395, 245, 905)
ZIDANE = (740, 40, 1150, 715)

CARD = ModelCard("pose+face", "0", "")


def cut(image: RgbImage, box: tuple[int, int, int, int]) -> RgbImage:
    return image[box[1] : box[3], box[0] : box[2]]


@pytest.fixture(scope="module")
def landmarker(weights_store: WeightsStore) -> Iterator[MediaPipeLandmarker]:
    with MediaPipeLandmarker.from_weights(weights_store) as one:
        yield one


def test_it_tells_about_itself_without_loading(weights_store: WeightsStore) -> None:
    def never() -> Path:
        raise AssertionError("loaded")

    lazy: Landmarker = MediaPipeLandmarker(never, never, CARD)
    assert lazy.provider == "not loaded"
    assert lazy.card.preprocessing == "square-pad-512/1"
    assert set(lazy.card.parameters) == {"pose_floor", "face_floor"}
    tiny = lazy.landmarks(np.zeros((5, 300, 3), np.uint8))
    assert (tiny.pose, tiny.face, tiny.mask) == (None, None, None)
    card = MediaPipeLandmarker.from_weights(weights_store).card
    assert card.revision.count("+") == 1
    assert card.name == "mediapipe-pose-full+mediapipe-face"


def test_a_whole_person(landmarker: MediaPipeLandmarker, sample_images: dict[str, RgbImage]) -> None:
    crop = cut(sample_images["bus.jpg"], BUS_MAN)
    seen = landmarker.landmarks(crop)
    assert landmarker.provider == "CPUExecutionProvider (MediaPipe)"
    assert seen.pose is not None
    assert (seen.pose.shape, seen.pose.dtype) == ((33, 5), np.float32)
    nose, hips, ankles = seen.pose[0, 1], seen.pose[[23, 24], 1].mean(), seen.pose[[27, 28], 1].mean()
    assert 0 < nose < 0.25 < hips < 0.65 < ankles < 1
    assert seen.mask is not None
    assert seen.mask.dtype == np.uint8
    assert seen.mask.shape == (512, round(512 * crop.shape[1] / crop.shape[0]))
    assert 0.15 < (seen.mask > 127).mean() < 0.6
    # The head is an eighth of the crop: only the second, enlarged look finds the face.
    assert seen.face is not None
    assert seen.face.shape == (478, 3)
    np.testing.assert_allclose(seen.face[1, :2], seen.pose[0, :2], atol=0.06)


def test_landmarks_move_with_the_crop(landmarker: MediaPipeLandmarker, sample_images: dict[str, RgbImage]) -> None:
    image = sample_images["zidane.jpg"]
    first, second = ZIDANE, (ZIDANE[0] - 61, ZIDANE[1] - 23, *ZIDANE[2:])
    places = []
    for box in (first, second):
        crop = cut(image, box)
        seen = landmarker.landmarks(crop)
        assert seen.face is not None
        assert seen.pose is not None
        size = (crop.shape[1], crop.shape[0])
        places.append((seen.face[:, :2] * size + box[:2], seen.pose[:13, :2] * size + box[:2]))
    (face, pose), (face_again, pose_again) = places
    assert np.abs(face - face_again).mean() < 4
    assert np.abs(pose - pose_again).mean() < 16


@pytest.mark.parametrize("width", [97, 98, 99, 101, 150, 255])
def test_any_width_is_safe(landmarker: MediaPipeLandmarker, sample_images: dict[str, RgbImage], width: int) -> None:
    crop = np.asarray(Image.fromarray(cut(sample_images["bus.jpg"], BUS_MAN)).resize((width, 2 * width + 1)))
    seen = landmarker.landmarks(crop)
    assert seen.mask is not None


def test_the_same_crop_gives_the_same_points(
    landmarker: MediaPipeLandmarker, sample_images: dict[str, RgbImage]
) -> None:
    crop = cut(sample_images["bus.jpg"], BUS_MAN)
    first = landmarker.landmarks(crop)
    landmarker.landmarks(cut(sample_images["zidane.jpg"], ZIDANE))
    again = landmarker.landmarks(np.asfortranarray(crop))
    np.testing.assert_array_equal(first.pose, again.pose)
    np.testing.assert_array_equal(first.mask, again.mask)


@pytest.mark.parametrize("name", ["coffee.png", "rocket.jpg", "chelsea.png"])
def test_things_and_cats_are_no_people(
    landmarker: MediaPipeLandmarker, sample_images: dict[str, RgbImage], name: str
) -> None:
    image = sample_images[name]
    height, width = image.shape[:2]
    whole = {"detection_id": 0, "x0": 0, "y0": 0, "x1": width, "y1": height, "score": 0.3}
    (row,) = landmark_rows(image, [whole], landmarker, keep_points=False)
    assert row["person_score"] < 0.5


def test_people_are_people(landmarker: MediaPipeLandmarker, sample_images: dict[str, RgbImage]) -> None:
    for name, box in (("bus.jpg", BUS_MAN), ("zidane.jpg", ZIDANE), ("astronaut.png", (20, 10, 490, 500))):
        found = {"detection_id": 0, "score": 0.4} | dict(zip(("x0", "y0", "x1", "y1"), box, strict=True))
        (row,) = landmark_rows(sample_images[name], [found], landmarker, keep_points=True)
        assert row["person_score"] > 0.8
        assert row["face_score"] > 0.8


def test_threads_share_it(weights_store: WeightsStore, sample_images: dict[str, RgbImage]) -> None:
    crop = cut(sample_images["bus.jpg"], BUS_MAN)
    results: list[PersonLandmarks] = []
    with MediaPipeLandmarker.from_weights(weights_store) as shared:
        threads = [threading.Thread(target=lambda: results.append(shared.landmarks(crop))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 3
    for one in results[1:]:
        np.testing.assert_array_equal(one.pose, results[0].pose)


def test_a_closed_one_says_so(weights_store: WeightsStore) -> None:
    landmarker = MediaPipeLandmarker.from_weights(weights_store)
    landmarker.close()
    landmarker.close()
    with pytest.raises(ModelFailed, match="closed"):
        landmarker.landmarks(np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize(
    "crop",
    [
        np.zeros((64, 64), np.uint8),  # grey
        np.zeros((64, 64, 4), np.uint8),  # with alpha
        np.zeros((64, 64, 3), np.float32),  # not bytes
    ],
)
def test_only_rgb_bytes(landmarker: MediaPipeLandmarker, crop: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        landmarker.landmarks(crop)


def test_a_damaged_bundle_is_one_line(tmp_path: Path) -> None:
    damaged = tmp_path / "pose.task"
    damaged.write_bytes(b"no bundle")
    landmarker = MediaPipeLandmarker(lambda: damaged, lambda: damaged, CARD)
    with pytest.raises(ModelFailed) as caught:
        landmarker.landmarks(np.zeros((64, 64, 3), np.uint8))
    assert "pose.task" in str(caught.value)
    assert "tagging models verify" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert landmarker.provider == "not loaded"


def run_script(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in an interpreter of its own, with the project on its path."""
    root = str(Path(__file__).parents[2])
    code = f"import sys; sys.path.insert(0, {root!r})\n" + textwrap.dedent(script)
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_a_missing_system_library_names_the_packages(tmp_path: Path) -> None:
    package = tmp_path / "mediapipe"
    package.mkdir()
    message = "libGL.so.1: cannot open shared object file: No such file or directory"
    (package / "__init__.py").write_text(f"raise ImportError({message!r})\n")
    done = run_script(
        """
        sys.path.insert(0, sys.argv[1])
        from pathlib import Path
        import numpy as np
        from resources.landmarker import MediaPipeLandmarker
        from tagging_assets.domain.errors import ModelFailed
        from tagging_assets.domain.models import ModelCard
        landmarker = MediaPipeLandmarker(lambda: Path("p"), lambda: Path("f"), ModelCard("n", "0", ""))
        try:
            landmarker.landmarks(np.zeros((64, 64, 3), np.uint8))
        except ModelFailed as error:
            print(error)
        """,
        str(tmp_path),
    )
    assert "libGL.so.1" in done.stdout
    assert "libgl1 libegl1 libgles2 libglib2.0-0" in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_quiet_from_start_to_exit_even_when_not_closed(
    weights_store: WeightsStore, sample_images: dict[str, RgbImage], tmp_path: Path
) -> None:
    crop = tmp_path / "crop.npy"
    np.save(crop, cut(sample_images["zidane.jpg"], ZIDANE))
    done = run_script(
        """
        import os
        import numpy as np
        from resources.landmarker import MediaPipeLandmarker
        from resources.weights import WeightsStore
        from tagging_assets.domain.models import ModelCard
        assert "mediapipe" not in sys.modules and "cv2" not in sys.modules
        landmarker = MediaPipeLandmarker.from_weights(WeightsStore(cache_dir=None, offline=True))
        seen = landmarker.landmarks(np.load(sys.argv[1]))
        assert seen.face is not None
        os.write(2, b"still heard\\n")
        """,
        str(crop),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "still heard\n")


def test_what_else_is_written_meanwhile_is_passed_on() -> None:
    done = run_script(
        r"""
        import os
        from resources.landmarker import _without_chatter
        with _without_chatter():
            os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
            os.write(2, b"W0000 00:00:1795255895.012076    8671 landmark_projection.cc:78] Using NORM_RECT\n")
            os.write(2, b"E0000 00:00:1795255895.012076    8671 model.cc:12] a real error\n")
            os.write(2, b"INFO:     server started\n")
        """
    )
    assert done.stderr.splitlines() == [
        "E0000 00:00:1795255895.012076    8671 model.cc:12] a real error",
        "INFO:     server started",
    ]
