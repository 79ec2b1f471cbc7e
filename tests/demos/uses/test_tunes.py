"""The demo on tunes: its generator, the quality that it measures, and the files that it writes."""

import struct
import wave

import numpy as np
import pytest
from demo_runs import load, quick, run

VAE, COOL = "VAE (perplexity: of the bound)", "VAE, temperature 0.5"


def notes_of(data):
    """Return (start, pitch, length), in ticks, of each note in the bytes of a MIDI file."""
    header = struct.unpack(">4sIHHH", data[:14])
    assert header[:4] == (b"MThd", 6, 0, 1)
    name, size = struct.unpack(">4sI", data[14:22])
    assert name == b"MTrk" and size == len(data) - 22
    place, now, sounding, notes = 22, 0, {}, []
    while True:
        delta = 0
        while True:
            byte, place = data[place], place + 1
            delta = delta << 7 | byte & 127
            if byte < 128:
                break
        now += delta
        kind, place = data[place], place + 1
        if kind == 0xFF:
            what, size = data[place], data[place + 1]
            place += 2 + size
            if what == 0x2F:
                assert place == len(data) and not sounding
                return notes
        elif kind == 0x90:
            sounding[data[place]] = now
            place += 2
        else:
            assert kind == 0x80
            start = sounding.pop(data[place])
            notes.append((start, data[place], now - start))
            place += 2


@pytest.mark.demo
def test_tunes_quick_writes_files_that_play(tmp_path):
    done = quick(tmp_path, "tunes")
    assert done.pictures == {"tunes"}
    (midi,), (sound,) = tmp_path.rglob("tunes.mid"), tmp_path.rglob("tunes.wav")
    notes = notes_of(midi.read_bytes())
    assert len(notes) > 10 and all(0 <= pitch < 128 and length > 0 for _, pitch, length in notes)
    with wave.open(str(sound)) as file:
        assert file.getnframes() > file.getframerate()
    assert done.table["the generator"][1:] == [1, 1]


@pytest.mark.full
@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_recurrent_models_keep_to_a_scale_better_than_n_grams(tmp_path, seed):
    table = run(tmp_path, "tunes", "--seed", seed).table
    grams = [table[f"{order}-gram model"] for order in (2, 3, 4)]
    for name in ("LSTM without a code", VAE):
        assert table["the generator"][0] < table[name][0] < min(row[0] for row in grams)
        assert table[name][1] > max(row[1] for row in grams)
    assert table[COOL][-1] > table[VAE][-1]  # right rhythms
    assert table[VAE][-1] < 0.5  # which are hard: the table says so


def test_a_midi_file_has_the_notes_that_it_was_given():
    with load("melodies") as melodies:
        tune = melodies.draw(np.random.default_rng(0))
        notes = notes_of(melodies.midi(tune, ticks=200))  # over 127: two bytes
        assert [(pitch - melodies.MIDDLE_C, length // 200) for _, pitch, length in notes] == tune
        assert melodies.in_key(tune) == 1 and melodies.has_rhythm(tune)
        assert melodies.as_notes(melodies.as_words(tune)) == tune
    starts = np.cumsum([0, *(length for _, _, length in notes)])[:-1]
    assert [start for start, _, _ in notes] == starts.tolist()


@pytest.mark.slow
def test_the_probabilities_of_all_tunes_of_one_bar_add_up_to_one():
    with load("melodies") as melodies:
        melodies.BARS, P = 1, melodies.walk()
        tunes = set()

        def grow(key, rhythm, degrees):
            """Add all tunes that begin with these notes of the scale."""
            if len(degrees) == len(rhythm):
                pitches = [int(melodies.pitch_of(key, degree)) for degree in degrees]
                tunes.add(tuple(zip(pitches, rhythm, strict=True)))
                return
            for degree in np.flatnonzero(P[degrees[-1]]):
                grow(key, rhythm, [*degrees, degree])

        for key in melodies.KEYS:
            for rhythm in melodies.RHYTHMS:
                for first in (0, 4):
                    grow(key, rhythm, [first])
        total = sum(np.exp(melodies.log_p(list(tune))) for tune in tunes)
    assert total == pytest.approx(1, abs=1e-12)
