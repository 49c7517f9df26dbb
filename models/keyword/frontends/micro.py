"""The micro frontend: 16 kHz sound to 40 features every 10 ms in integers only, as microWakeWord's networks expect it.

The algorithm is TensorFlow's "microfrontend": Hann window, block-scaled 16-bit FFT, triangular filters on a mel scale,
square root, spectral subtraction of a noise estimate (Google's Voice Search), per-channel amplitude normalisation (Wang
et al., "Trainable Frontend For Robust and Far-Field Keyword Spotting", 2017), and an integer logarithm. The answers are
those of the original, bit for bit, wraparounds included: a network that was trained on them sees nothing else.

The Fourier transform is KISS FFT's in its 16-bit form (Borgerding), a radix-4 decimation in time that divides by four
in each stage. Its roundings are part of the definition.

Frames are computed together except for the noise estimate, which runs through time.
"""

from __future__ import annotations

import math
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Feeds, Runner, TensorSpec
from edgekit.models.keyword.shapes import MicroSettings

Ints = NDArray[np.int64]

_FFT = 512
_BITS = 12  # of the window, of the filters and of the signal-to-noise ratio
_NOISE_BITS = 14
_SMOOTHING_BITS = 10  # the noise estimate has so many bits more than the signal
_CORRECTION_BITS = 3  # log2(FFT) - half of the filters' bits: by how much a channel is smaller than its sound
_OUTPUT_BITS = 6  # of the normalised amplitude
_LOG_SEGMENTS = 128
_LN2 = 45426  # ln(2) * 2^16, rounded down
_WORD = 0xFFFFFFFF


def tables(settings: MicroSettings) -> dict[str, int | NDArray[Any]]:
    """Every table and constant that the computation needs, in integers.

    Returns:
        ``window`` [window]; ``twiddles`` [256, 2] and ``split_twiddles`` [128, 2]: real and imaginary parts.
        ``first_bin`` of the spectrum; ``widths`` [channels + 1]: bins between filter centres; ``weights`` and ``rest``
        [bins]: the share of a bin that goes to the filter whose centre comes next, and to the filter before.
        ``even_smoothing``, ``odd_smoothing``, ``least_signal``, ``ratio_shift``; ``gains`` [125]: three coefficients
        per power of two; ``logs`` [129], ``log_shift``; ``multiplier``, ``shift``, ``zero_point`` of the quantization.
    """
    half = _FFT // 2
    multiplier, shift = _quantizer(settings)
    chords = np.arange(_LOG_SEGMENTS + 1) / _LOG_SEGMENTS
    return {
        "window": _hann(settings.window),
        "twiddles": _circle(-2 * math.pi * np.arange(half) / half),
        "split_twiddles": _circle(-math.pi * (np.arange(1, half // 2 + 1) / half + 0.5)),
        **_filters(settings),
        "even_smoothing": _to_fixed_point(settings.even_smoothing),
        "odd_smoothing": _to_fixed_point(settings.odd_smoothing),
        "least_signal": _to_fixed_point(settings.least_signal),
        "ratio_shift": settings.gain_bits - _CORRECTION_BITS - _BITS,
        "gains": _gains(settings),
        "logs": np.round(2.0**16 * (np.log2(1 + chords) - chords)).astype(np.uint16),
        "log_shift": settings.log_shift,
        "multiplier": multiplier,
        "shift": shift,
        "zero_point": settings.zero_point,
    }


def _to_fixed_point(share: float) -> int:
    return int(np.float32(share) * np.float32(2**_NOISE_BITS))


def _hann(size: int) -> NDArray[np.int16]:
    """Single precision throughout, as microcontrollers compute it: in double precision a tie would round otherwise."""
    angle = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(2 * math.pi / size)
    hann = np.float32(0.5) - np.float32(0.5) * np.cos(angle.astype(np.float64)).astype(np.float32)
    window: NDArray[np.int16] = np.floor(hann * np.float32(2**_BITS) + np.float32(0.5)).astype(np.int16)
    return window


def _circle(phase: NDArray[np.float64]) -> NDArray[np.int16]:
    """Points of the unit circle in 15 bits, [n, 2]."""
    return np.floor(0.5 + 32767 * np.stack([np.cos(phase), np.sin(phase)], axis=1)).astype(np.int16)


def _mel(hertz: Any) -> np.float32:
    # Each step in single precision; the logarithm through doubles, because numpy's own is off by a bit now and then.
    return np.float32(1127) * np.float32(np.log1p(np.float64(np.float32(hertz) / np.float32(700))))


def _filters(settings: MicroSettings) -> dict[str, int | NDArray[Any]]:
    """Bins and their shares. Single precision throughout, like the original, since the shares are rounded."""
    low = _mel(settings.lower_hz)
    spacing = (_mel(settings.upper_hz) - low) / np.float32(settings.features + 1)
    centres = [np.float32(low + spacing * np.float32(i + 1)) for i in range(settings.features + 1)]
    hz_per_bin = np.float32(0.5 * settings.rate / (_FFT // 2))
    first = bin_ = int(1.5 + settings.lower_hz / float(hz_per_bin))  # never the constant component
    widths, weights = [], []
    before = low
    for centre in centres:
        start = bin_
        while (mel := _mel(np.float32(bin_) * hz_per_bin)) <= centre:
            weights.append((centre - mel) / (centre - before))
            bin_ += 1
        widths.append(bin_ - start)
        before = centre
    share = np.array(weights, np.float32)
    return {
        "first_bin": first,
        "widths": np.array(widths, np.uint8),
        "weights": np.floor((share * np.float32(2**_BITS)).astype(np.float64) + 0.5).astype(np.int16),
        "rest": np.floor((np.float32(1) - share).astype(np.float64) * 2**_BITS + 0.5).astype(np.int16),
    }


def _gains(settings: MicroSettings) -> NDArray[np.int16]:
    """Gain over noise: a value at 0 and at 1, then per power of two the start and two coefficients of a parabola."""

    def gain(noise: int) -> int:
        base = np.float32(noise) / np.float32(2 ** (_SMOOTHING_BITS - _CORRECTION_BITS)) + np.float32(settings.offset)
        power = np.float32(np.float64(base) ** -np.float64(np.float32(settings.strength)))
        return min(32767, int(np.float32(2**settings.gain_bits) * power + np.float32(0.5)))

    out = np.zeros(125, np.int16)
    out[0], out[1] = gain(0), gain(1)
    for interval in range(2, 33):
        start = 1 << (interval - 1)
        end = 2 * start - (interval == 32)
        y0, y1, y2 = gain(start), gain(start + start // 2), gain(end)
        slope = 4 * (y1 - y0) - (y2 - y0)
        out[4 * interval - 6 :][:3] = y0, slope, y2 - y0 - slope
    return out


def _quantizer(settings: MicroSettings) -> tuple[int, int]:
    """(multiplier, shift) such that (value * multiplier + half) >> shift is the rounded int8 feature."""
    # Whatever leaves the int8 range is clamped, so the values below that are all there is.
    values = np.arange(min(65536, math.ceil(256 * settings.scale / settings.unit)), dtype=np.int64)
    wanted = np.round(values * settings.unit / np.float64(settings.scale))
    for shift in range(12, 23):
        multiplier = round(settings.unit / settings.scale * 2**shift)
        if ((values * multiplier + (1 << (shift - 1)) >> shift) == wanted).all():
            return multiplier, shift
    raise AssertionError("no multiplier of 22 bits quantizes these features exactly")


class MicroFrontend(Runner):
    """A runner: ``audio`` int16 [samples] -> ``features`` int8 [frames, channels]. Each call is a sound of its own."""

    inputs = (TensorSpec("audio", "int16", ("samples",)),)

    def __init__(self, settings: MicroSettings | None = None) -> None:
        self.settings = settings or MicroSettings()
        self.outputs = (TensorSpec("features", "int8", ("frames", self.settings.features)),)
        self._tables: dict[str, Any] = {
            name: table if isinstance(table, int) else table.astype(np.int64)
            for name, table in tables(self.settings).items()
        }

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        return {"features": self.quantize_features(self.raw(feeds["audio"]))}

    def raw(self, audio: NDArray[np.int16]) -> Ints:
        """The features before they are quantized, [frames, channels], 0..65535."""
        window, step = self.settings.window, self.settings.step
        if len(audio) < window:
            return np.zeros((0, self.settings.features), np.int64)
        frames = np.lib.stride_tricks.sliding_window_view(np.ascontiguousarray(audio, np.int16), window)[::step]
        return self.after(frames, np.zeros(self.settings.features, np.int64))[0]

    def after(self, frames: NDArray[np.int16], noise: Ints) -> tuple[Ints, Ints]:
        """Features of `frames` [frames, samples] that follow a noise estimate [channels], and the next estimate."""
        signal = np.concatenate([self._channels(frames[i : i + 256]) for i in range(0, len(frames), 256)])
        estimates = self._subtract_noise(signal, noise)
        return self._logarithm(self._normalise(signal, estimates) << _CORRECTION_BITS), estimates[-1]

    def quantize_features(self, raw: Ints) -> NDArray[np.int8]:
        multiplier, shift, zero_point = (self._tables[name] for name in ("multiplier", "shift", "zero_point"))
        steps: Ints = np.clip((raw * multiplier + (1 << (shift - 1)) >> shift) + zero_point, -128, 127)
        return steps.astype(np.int8)

    def _channels(self, frames: NDArray[np.int16]) -> Ints:
        """[frames, samples] -> square root of each channel's energy, [frames, channels]."""
        windowed = frames * self._tables["window"] >> _BITS
        # Block scaling: the loudest sample of a frame gets the top bit, and the root gives it back.
        # (-32768 has no absolute value in 16 bits, and does not count.)
        shift = 15 - _bit_length(_int16(np.abs(windowed)).max(axis=1))[:, None]
        padded = np.zeros((len(frames), _FFT), np.int64)
        padded[:, : frames.shape[1]] = _int16(windowed << shift)
        spectrum = _real_fft(padded, self._tables["twiddles"], self._tables["split_twiddles"])
        first = self._tables["first_bin"]
        energy = (spectrum[:, first : first + len(self._tables["weights"])] ** 2).sum(axis=2)
        at = np.concatenate([[0], np.cumsum(self._tables["widths"])])[:-1]
        ending = np.add.reduceat(energy * self._tables["weights"], at, axis=1)
        starting = np.add.reduceat(energy * self._tables["rest"], at, axis=1)
        return _root(ending[:, 1:] + starting[:, :-1]) >> shift

    def _subtract_noise(self, signal: Ints, estimate: Ints) -> Ints:
        """Takes the noise, estimated on from `estimate`, from `signal` in place; returns the estimates."""
        odd = np.arange(signal.shape[1]) % 2
        new = np.where(odd, self._tables["odd_smoothing"], self._tables["even_smoothing"])
        old = (1 << _NOISE_BITS) - new
        floor = signal * self._tables["least_signal"] >> _NOISE_BITS
        scaled = (signal << _SMOOTHING_BITS) & _WORD
        estimates = np.zeros_like(signal)
        for t, value in enumerate(scaled):
            estimate = (value * new + estimate * old >> _NOISE_BITS) & _WORD
            estimates[t] = estimate
        np.maximum(scaled - np.minimum(estimates, scaled) >> _SMOOTHING_BITS, floor, out=signal)
        return estimates

    def _normalise(self, signal: Ints, noise: Ints) -> Ints:
        """Signal over a power of the noise, squeezed: quadratic near zero, then linear."""
        gains = self._tables["gains"]
        interval = _bit_length(noise)
        at = np.maximum(4 * interval - 6, 0)
        shift = 11 - interval
        part = np.where(shift > 0, noise << np.maximum(shift, 0), noise >> np.maximum(-shift, 0)) & 0x3FF
        curve = ((gains[at + 2] * part >> 5) + (gains[at + 1] << 5)) * part
        gain = np.where(noise <= 2, gains[np.minimum(noise, 2)], (curve + (1 << 14) >> 15) + gains[at])
        ratio = (signal * gain >> self._tables["ratio_shift"]) & _WORD
        small = (ratio * ratio & _WORD) >> (2 + 2 * _BITS - _OUTPUT_BITS)
        large: Ints = (ratio >> (_BITS - _OUTPUT_BITS)) - (1 << _OUTPUT_BITS)
        return np.where(ratio < 2 << _BITS, small, large)

    def _logarithm(self, value: Ints) -> Ints:
        """2^log_shift * ln(value) by a table of the logarithm's distance from its chords."""
        logs, shift = self._tables["logs"], self._tables["log_shift"]
        value = np.maximum(value & _WORD, 1)  # both 0 and 1 give 0
        whole = _bit_length(value) - 1
        rest = value - (1 << whole)
        part = np.where(whole < 16, rest << np.maximum(16 - whole, 0), rest >> np.maximum(whole - 16, 0))
        segment = part >> 9
        correction = logs[segment] + ((logs[segment + 1] - logs[segment]) * (part - (segment << 9)) >> 16)
        natural = ((whole << 16) + part + correction) * _LN2 + 0x8000 >> 16
        scaled: Ints = np.minimum((natural << shift) + 0x8000 >> 16, 0xFFFF)
        return scaled


class MicroStream:
    """The same of a sound that comes in pieces."""

    def __init__(self, frontend: MicroFrontend) -> None:
        self._frontend = frontend
        self.reset()

    def reset(self) -> None:
        """Forget all sound so far."""
        self._held = np.zeros(0, np.int16)
        self._noise = np.zeros(self._frontend.settings.features, np.int64)

    def push(self, samples: NDArray[np.int16]) -> NDArray[np.int8]:
        """The next samples -> features int8 [frames, channels] of the frames that are complete with them."""
        window, step = self._frontend.settings.window, self._frontend.settings.step
        self._held = np.concatenate([self._held, samples])
        if len(self._held) < window:
            return np.zeros((0, self._frontend.settings.features), np.int8)
        frames = np.lib.stride_tricks.sliding_window_view(self._held, window)[::step]
        raw, self._noise = self._frontend.after(frames, self._noise)
        self._held = self._held[len(frames) * step :]
        return self._frontend.quantize_features(raw)


def _int16(values: Ints) -> Ints:
    """Wrapped around into 16 bits, as a cast does."""
    return values.astype(np.int16).astype(np.int64)


def _bit_length(values: Ints) -> Ints:
    """Bits that a value below 2^53 needs; 0 for 0."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)


def _root(values: Ints) -> Ints:
    """The nearest integer to the square root of values below 2^52; 16 bits where the value has 32."""
    root = np.floor(np.sqrt(values.astype(np.float64))).astype(np.int64)
    root += values - root * root > root
    return np.where(values >> 32 == 0, np.minimum(root, 0xFFFF), root)


def _product(a: Ints, b: Ints) -> Ints:
    """Complex product of [..., 2] arrays in 15 fractional bits."""
    real = a[..., 0] * b[..., 0] - a[..., 1] * b[..., 1]
    imaginary = a[..., 0] * b[..., 1] + a[..., 1] * b[..., 0]
    return _int16(np.stack([real, imaginary], axis=-1) + (1 << 14) >> 15)


def _real_fft(samples: Ints, twiddles: Ints, split: Ints) -> Ints:
    """[frames, 512] real -> [frames, 257, 2], through a complex transform of half the length."""
    half = samples.shape[1] // 2
    out = _complex_fft(samples.reshape(len(samples), half, 2), twiddles)
    low = out[:, : half // 2 + 1] * 16383 + (1 << 14) >> 15  # a division by two, as KISS FFT rounds it
    high = np.roll(out[:, ::-1], 1, axis=1)[:, : half // 2 + 1] * np.array([1, -1])
    high = _int16(high) * 16383 + (1 << 14) >> 15
    both, turned = _int16(low + high), _int16(low - high)
    turned[:, 1:] = _product(turned[:, 1:], split)
    spectrum = np.zeros((len(samples), half + 1, 2), np.int64)
    mirrored = np.stack([both[..., 0] - turned[..., 0], turned[..., 1] - both[..., 1]], axis=-1) >> 1
    spectrum[:, half // 2 + 1 :] = mirrored[:, half // 2 - 1 :: -1]
    spectrum[:, : half // 2 + 1] = both + turned >> 1
    spectrum[:, half // 2] = mirrored[:, half // 2]  # both halves write the middle; the mirrored half writes last
    spectrum[:, 0] = spectrum[:, half] = 0
    spectrum[:, 0, 0] = _int16(low[:, 0, 0] + low[:, 0, 1])
    spectrum[:, half, 0] = _int16(low[:, 0, 0] - low[:, 0, 1])
    return spectrum


def _complex_fft(values: Ints, twiddles: Ints) -> Ints:
    """[frames, n, 2] -> [frames, n, 2] for n a power of four; divides by n."""
    frames, n, _ = values.shape
    digits = round(math.log(n, 4))
    out, span = values[:, np.arange(n).reshape((4,) * digits).transpose().reshape(-1)], 1
    while span < n:
        blocks = out.reshape(frames, n // (4 * span), 4, span, 2) * 8191 + (1 << 14) >> 15
        turns = [twiddles[np.arange(span) * k * (n // (4 * span))] for k in (1, 2, 3)]
        x0 = blocks[:, :, 0]
        x1, x2, x3 = (_product(blocks[:, :, k + 1], turns[k]) for k in range(3))
        difference, total = _int16(x0 - x2), _int16(x0 + x2)
        plus, minus = _int16(x1 + x3), _int16(x1 - x3)
        quarter = np.stack([minus[..., 1], -minus[..., 0]], axis=-1)  # times -i
        out = _int16(np.stack([total + plus, difference + quarter, total - plus, difference - quarter], axis=2))
        out = out.reshape(frames, n, 2)
        span *= 4
    return out
