"""Melodies with a known probability: a key, rhythms of whole bars, a walk on the scale; and MIDI.

A note is a pair (pitch, length): a pitch in semitones above C, a length in eighths.
"""

import struct
import wave

import numpy as np

RHYTHMS = ((2, 2, 2, 2), (4, 2, 2), (2, 2, 4), (1, 1, 2, 4), (2, 1, 1, 2, 2))  # eighths: a bar is 8
RHYTHM_P = (0.3, 0.25, 0.2, 0.15, 0.1)
KEYS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9}  # of the first note of a major scale
SCALE = np.array([0, 2, 4, 5, 7, 9, 11])
DEGREES = 8  # the notes of a walk: an octave
STEPS, STEP_P = np.array([-2, -1, 0, 1, 2]), np.array([0.15, 0.3, 0.1, 0.3, 0.15])
BARS = 4
BAR = 8
LENGTHS = (1, 2, 4)
PITCHES = 12 + max(KEYS.values()) + 1  # 0 is C
N_TOKENS = 2 + PITCHES * len(LENGTHS)
MIDDLE_C = 60  # in MIDI


def pitch_of(key, degree):
    """Return the semitones above C of a degree of the scale, 0 to 7, in a key."""
    return KEYS[key] + 12 * (degree // 7) + SCALE[degree % 7]


def walk():
    """Return P (degrees, degrees), the probability of the next degree given the last one.

    Steps that would leave the octave are left out, and the others share their probability.
    """
    P = np.zeros((DEGREES, DEGREES))
    for degree in range(DEGREES):
        reached = degree + STEPS
        inside = (reached >= 0) & (reached < DEGREES)
        P[degree, reached[inside]] = STEP_P[inside] / STEP_P[inside].sum()
    return P


def draw(rng):
    """Return a tune, a list of notes; it starts on the first or the fifth note of its key."""
    key = list(KEYS)[rng.integers(len(KEYS))]
    bars = [RHYTHMS[i] for i in rng.choice(len(RHYTHMS), BARS, p=RHYTHM_P)]
    P, degree, notes = walk(), (0, 4)[rng.integers(2)], []
    for length in (eighths for bar in bars for eighths in bar):
        if notes:
            degree = rng.choice(DEGREES, p=P[degree])
        notes.append((int(pitch_of(key, degree)), length))
    return notes


def log_p(notes):
    """Return the log of the probability of a tune, in nats; -inf if it cannot be drawn.

    The bars determine the rhythm. The key is not written down: its probabilities are added up.
    """
    bars, P = bars_of([length for _, length in notes]), walk()
    if bars is None or len(bars) != BARS or any(bar not in RHYTHMS for bar in bars):
        return -np.inf
    rhythm = sum(np.log(RHYTHM_P[RHYTHMS.index(bar)]) for bar in bars)
    total = 0.0
    for key in KEYS:
        degrees = {int(pitch_of(key, d)): d for d in range(DEGREES)}
        path = [degrees.get(pitch) for pitch, _ in notes]
        if None not in path and path[0] in (0, 4):
            steps = np.prod([P[a, b] for a, b in zip(path, path[1:], strict=False)])
            total += 0.5 * steps / len(KEYS)
    with np.errstate(divide="ignore"):
        return float(rhythm + np.log(total))


def bars_of(lengths):
    """Return the lengths bar by bar, a list of tuples, or None if a note crosses a bar line.

    The last bar may be incomplete.
    """
    bars, bar = [], []
    for length in lengths:
        bar.append(length)
        if sum(bar) > BAR:
            return None
        if sum(bar) == BAR:
            bars.append(tuple(bar))
            bar = []
    return [*bars, tuple(bar)] if bar else bars


def in_key(notes):
    """Return the share of the notes that are in the scale of the key that fits best."""
    pitches = np.array([pitch for pitch, _ in notes])
    shares = [np.isin((pitches - shift) % 12, SCALE).mean() for shift in KEYS.values()]
    return float(max(shares)) if len(notes) else 0.0


def has_rhythm(notes):
    """Return whether a tune has four bars, each with one of the rhythms."""
    bars = bars_of([length for _, length in notes])
    return bars is not None and len(bars) == BARS and all(bar in RHYTHMS for bar in bars)


def as_words(notes):
    """Return a tune as word numbers, 2 or more: a number for each pair (pitch, length)."""
    return [2 + pitch * len(LENGTHS) + LENGTHS.index(length) for pitch, length in notes]


def as_notes(tokens):
    """Return the notes in a row of tokens."""
    pairs = (divmod(int(token) - 2, len(LENGTHS)) for token in tokens if token > 1)
    return [(pitch, LENGTHS[i]) for pitch, i in pairs]


def midi(notes, eighths_per_minute=200, ticks=96):
    """Return the bytes of a MIDI file, format 0: one track with one instrument, the piano.

    The MIDI Association (1996), "Standard MIDI Files 1.0". ticks : of an eighth note.
    """

    def variable(n):
        """Return a number in bytes of 7 bits, the highest first; all but the last start with 1."""
        out = [n & 127]
        while n := n >> 7:
            out.append(128 | (n & 127))
        return bytes(reversed(out))

    microseconds = 2 * 60_000_000 // eighths_per_minute  # of a quarter note
    track = b"\0\xff\x51\3" + microseconds.to_bytes(3, "big")
    for pitch, length in notes:
        track += bytes([0, 0x90, MIDDLE_C + pitch, 80])  # at once: note on, how hard
        track += variable(length * ticks) + bytes([0x80, MIDDLE_C + pitch, 0])  # then: note off
    track += b"\0\xff\x2f\0"  # the end of the track
    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, 2 * ticks)  # format 0, 1 track, per quarter
    return header + struct.pack(">4sI", b"MTrk", len(track)) + track


def write_wav(file, notes, seconds=0.3, rate=11025):
    """Write a tune as a WAV file, 16 bits: a fading sine with an overtone; seconds of an eighth."""
    parts = [np.zeros(1)]
    for pitch, length in notes:
        t = np.arange(int(rate * seconds * length)) / rate
        turns = 440 * 2 ** ((MIDDLE_C + pitch - 69) / 12) * t  # MIDI's note 69 is A, 440 Hz
        tone = np.sin(2 * np.pi * turns) + 0.3 * np.sin(4 * np.pi * turns)
        parts.append(tone * np.exp(-3 * t) * np.minimum(1, 100 * t))
    samples = (np.concatenate(parts) * 20000).astype("<i2")
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())
