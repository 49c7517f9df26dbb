"""Headers of MPEG audio (MP3 and its elder layers): how long a frame is, so that a file without a tag is known."""

from __future__ import annotations

#: kbit/s by the four bits of a header, 1 to 14, of MPEG-1 and of MPEG-2 and 2.5; 0 is free, 15 is reserved.
_FIRST = {
    1: (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_LOW = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_LATER = {1: (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256), 2: _LOW, 3: _LOW}
#: Samples a second by the two bits of a header, of MPEG-1; by the bits of the version: what they are divided by.
_RATES, _DIVIDED = (44_100, 48_000, 32_000), {3: 1, 2: 2, 0: 4}


def frame_length(header: bytes) -> int:
    """Bytes of the frame that begins with `header`; 0 if these four bytes begin none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    speed, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version not in _DIVIDED or layer == 4 or speed in (0, 15) or rate == 3:
        return 0
    bits = (_FIRST if version == 3 else _LATER)[layer][speed - 1] * 1000
    hertz = _RATES[rate] // _DIVIDED[version]
    if layer == 1:
        return (12 * bits // hertz + padding) * 4
    return (72 if layer == 3 and version != 3 else 144) * bits // hertz + padding


def same_stream(header: bytes, other: bytes) -> bool:
    """Whether two headers have the same version, layer and rate, as all frames of a file have."""
    return (header[1] & 0xFE, header[2] & 0x0C) == (other[1] & 0xFE, other[2] & 0x0C)
