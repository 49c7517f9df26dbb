"""Length of a sound from its header: FLAC and WAV, without a library."""

from __future__ import annotations

from edgekit.common import package_data


def seconds_of(name: str) -> float:
    """Seconds of a package-data file (of the models room, or at an absolute path); 0 if it is not FLAC or WAV."""
    try:
        with package_data.stream_of(name).open("rb") as stream:
            head = stream.read(64)
    except OSError:
        return 0.0
    if head[:4] == b"fLaC" and len(head) >= 26:
        packed = int.from_bytes(head[18:26], "big")  # 20 bits of rate, 3 of channels, 5 of depth, 36 of samples
        rate, samples = packed >> 44, packed & (1 << 36) - 1
        return samples / rate if rate else 0.0
    if head[:4] == b"RIFF" and head[36:40] == b"data":
        a_second, size = int.from_bytes(head[28:32], "little"), int.from_bytes(head[40:44], "little")
        return size / a_second if a_second else 0.0
    return 0.0
