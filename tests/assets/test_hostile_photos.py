"""Photos that are made to harm, beside photos that are not: each is its own error, and the others are tagged."""

import os
from pathlib import Path

from PIL import Image

from tagging_assets import run_tags
from tests.resources import hostile_pictures as hostile
from tests.workshop import Workshop, draw

#: Told by people as well as by machines.
_TAGS = {"person", "dog", "boat"}


def failures(workshop: Workshop) -> dict[str, str]:
    """File name to the kind of the first error along the line."""
    names = {ref.image_id: Path(ref.uri).name for ref in workshop.tools.manifest.images("b000001")}
    return {
        names[record.image_id]: str(record.error_kind)
        for stage in ("proxies", "images")
        for record in workshop.frame(stage).current
        if not record.ok
    }


def test_each_is_its_own_error_remembered_and_the_others_are_tagged(workshop: Workshop) -> None:
    workshop.reopen(images={"settle_seconds": 0, "decode_seconds": 1}, inference={"threads": 2})
    photos = workshop.photos
    workshop.draw("good 1.jpg", "good 2.jpg", "new\nline.jpg", "caf\udce9.jpg")
    hostile.many_scans(photos / "scans.jpg")
    hostile.png(photos / "narrow.png", 1, 99_000_000)
    hostile.text_bomb(photos / "text.png", b"zTXt")
    hostile.big_frame_gif(photos / "frame.gif")
    hostile.rubbish_raw(photos / "noise.cr2", 0)
    (photos / "empty.jpg").touch()
    # odd, and no reason not to be tagged
    hostile.open_packets(photos / "packets.webp")
    dated = draw(photos / "from 2300.jpg", 7)
    os.utime(dated, (10_413_792_000, 10_413_792_000))
    said = draw(photos / "odd words.jpg", 8)
    said.with_suffix(".json").write_text('{"caption": "a \\ud83d boat\\u0000", "creator": "\\udc00Ada\\u0000"}')
    header = Image.Exif()
    header[0x010F] = "Ca\0mera"
    header[0x9C9B] = b"\x00\xd8" * 20
    with Image.open(said) as picture:
        picture.save(said, exif=header)
    broken = draw(photos / "broken words.jpg", 9)
    broken.with_suffix(".txt").write_text("<b>&#" + "9" * 5_000 + ";</b>")
    os.mkfifo(photos / "pipe.jpg")
    os.mkfifo(photos / "good 1.txt")

    assert workshop.run().success
    expected = {
        "scans.jpg": "DecoderTimedOut",
        "narrow.png": "ImageTooLarge",
        "text.png": "UnreadableImage",
        "frame.gif": "ImageTooLarge",
        "noise.cr2": "UnreadableImage",
        "empty.jpg": "EmptyFile",
    }
    assert failures(workshop) == expected
    published = workshop.published()
    assert set(published) == {
        "good 1.jpg",
        "good 2.jpg",
        "new\nline.jpg",
        "caf%E9.jpg",
        "packets.webp",
        "from 2300.jpg",
        "odd words.jpg",
        "broken words.jpg",
    }
    assert all(tags == _TAGS for tags in published.values())

    # the next run knows: it decodes none of them again
    assert workshop.is_fresh()
    before = workshop.frame("proxies").current
    workshop.cost()
    assert workshop.frame("proxies").current == before


def test_more_time_is_given_where_somebody_asks_for_what_failed(workshop: Workshop) -> None:
    workshop.reopen(images={"settle_seconds": 0, "decode_seconds": 0.1})
    hostile.many_scans(workshop.photos / "scans.jpg", 4_000)
    assert workshop.run().success
    assert failures(workshop) == {"scans.jpg": "DecoderTimedOut"}
    workshop.reopen(images={"settle_seconds": 0, "decode_seconds": 60})
    assert workshop.is_fresh(), "nobody has asked"
    assert workshop.run(tags={run_tags.RETRYING: "all"}).success
    assert failures(workshop) == {}
