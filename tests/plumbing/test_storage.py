import copy
import json
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from miniae import (
    VAE,
    Autoencoder,
    Dense,
    Dropout,
    GaussianNLL,
    Layer,
    Reshape,
    Sequential,
    SquaredError,
    Tanh,
)
from miniae.plumbing import archives

X = np.random.default_rng(0).random((20, 6))


def networks():
    encoder = Sequential(
        Dense(6, 5, init="he", rng=1), Tanh(), Dropout(0.25), Sequential(Dense(5, 2))
    )
    return {"encoder": encoder, "decoder": Sequential(Dense(2, 6), Reshape(6))}


MODELS = {
    "autoencoder": lambda: Autoencoder(6, 2, (5, 4), loss=SquaredError(), code_activation="tanh"),
    "vae": lambda: VAE(6, 2, beta=2.0, kl_warmup=3, free_bits=0.1, seed=7, dtype="float64"),
    "sigma": lambda: VAE(6, 2, likelihood="gaussian"),
    "object": lambda: VAE(6, 2, likelihood=GaussianNLL(0.3)),
    "image": lambda: VAE((3, 2), np.int64(2)),
    "networks": lambda: Autoencoder(6, 2, **networks()),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back_as_it_was(name, tmp_path):
    model = MODELS[name]()
    data = X.reshape(20, *model.input_shape)
    model.fit(data, epochs=2, validation_split=0.2, verbose=0)
    path = tmp_path / "model.npz"
    model.save(path)
    clone = type(model).load(path)
    assert clone.theta.tobytes() == model.theta.tobytes() and clone.theta.dtype == model.theta.dtype
    assert clone.history == model.history
    assert np.array_equal(clone.reconstruct(data), model.reconstruct(data))
    assert clone.evaluate(data) == model.evaluate(data)
    assert repr(list(clone.walk())) == repr(list(model.walk()))
    clone.fit(data, epochs=1, verbose=0)
    assert len(clone.history["loss"]) == 3


@pytest.mark.parametrize(
    "make",
    [
        lambda: VAE(6, 2, dtype=np.float64),
        lambda: VAE(6, 2, dtype=np.dtype("f8")),
        lambda: VAE(6, 2).astype("float64"),
        lambda: VAE(6, 2, hidden=np.array([3, 4])),
    ],
)
def test_whatever_was_saved_can_be_loaded(tmp_path, make):
    model = make()
    model.history = {"loss": [np.float32(1.5)]}
    model.save(tmp_path / "m")
    clone = VAE.load(tmp_path / "m")
    assert clone.theta.dtype == model.theta.dtype and np.array_equal(clone.theta, model.theta)
    assert clone.history == {"loss": [1.5]}


def test_an_attribute_that_was_changed_is_saved_as_it_is(tmp_path):
    model = VAE(6, 2)
    model.beta = 3.0
    model.save(tmp_path / "m")
    assert VAE.load(tmp_path / "m").beta == 3.0 == VAE.load(tmp_path / "m").kl_weight


def test_a_readers_layer_of_a_known_name_is_not_taken_for_the_known_one(tmp_path):
    class Tanh(Layer):
        def forward(self, x, training=False):
            return self.remember(None, 3 * x)

    Autoencoder(6, 2, encoder=Sequential(Dense(6, 2), Tanh())).save(tmp_path / "m")
    with pytest.raises(ValueError, match="encoder has a Tanh, which is not one of miniae's own"):
        Autoencoder.load(tmp_path / "m")


def test_a_subclass_with_names_of_its_own_for_the_sizes_comes_back(tmp_path):
    class Named(Autoencoder):
        def __init__(self, pixels, code, width=4, seed=0):
            super().__init__(pixels, code, (width,), seed=seed)
            self.pixels, self.code, self.width = pixels, code, width

    model = Named(6, 2, seed=3)
    model.save(tmp_path / "named.npz")
    loaded = Named.load(tmp_path / "named.npz")
    assert repr(loaded) == repr(model) and np.array_equal(loaded.theta, model.theta)


def test_arguments_of_load_that_do_not_exist_are_refused(tmp_path):
    VAE(6, 2).save(tmp_path / "m")
    with pytest.raises(ValueError, match="encoderr"):
        VAE.load(tmp_path / "m", encoderr=None)


@pytest.mark.parametrize("n", [50, pytest.param(300, marks=pytest.mark.slow)])
def test_every_flipped_byte_gives_the_same_model_or_a_value_error(tmp_path, n):
    path = tmp_path / "m.npz"
    VAE(3, 1, (2,)).save(path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for position in rng.choice(len(whole), n, replace=False):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << rng.integers(8)
        path.write_bytes(flipped)
        try:
            assert np.array_equal(VAE.load(path).theta, VAE(3, 1, (2,)).theta)
        except ValueError:
            pass


def test_the_warm_up_of_a_loaded_model_goes_on_where_it_was(tmp_path):
    model = VAE(6, 2, kl_warmup=4).fit(X, epochs=3, verbose=0)
    model.save(tmp_path / "a")
    assert VAE.load(tmp_path / "a").kl_weight == 0.75
    weights = []
    VAE.load(tmp_path / "a").fit(
        X, epochs=1, verbose=0, callback=lambda m, e, logs: weights.append(m.kl_weight)
    )
    assert weights == [0.75]


class Twice(Layer):
    def forward(self, x, training=False):
        return self.remember(None, 2 * x)

    def backward(self, dout):
        return 2 * dout


def test_networks_of_a_readers_own_layers_are_passed_to_load(tmp_path):
    encoder = Sequential(Dense(6, 2), Twice())
    model = Autoencoder(6, 2, encoder=encoder).fit(X, epochs=1, verbose=0)
    model.save(tmp_path / "m")
    with pytest.raises(ValueError, match=r"encoder has a Twice, .* load\(path, encoder="):
        Autoencoder.load(tmp_path / "m")
    clone = Autoencoder.load(tmp_path / "m", encoder=Sequential(Dense(6, 2), Twice()))
    assert np.array_equal(clone.encode(X), model.encode(X))
    with pytest.raises(ValueError, match=r"its parameters are .*encoder\.0\.W"):
        Autoencoder.load(tmp_path / "m", encoder=Sequential(Dense(6, 3), Dense(3, 2)))


def test_a_model_of_another_class_is_refused(tmp_path):
    VAE(6, 2).save(tmp_path / "m")
    with pytest.raises(ValueError, match=r"it holds a VAE: use VAE\.load"):
        Autoencoder.load(tmp_path / "m")


def altered(path, **changes):
    with np.load(path) as file:
        theta, header = file["theta"], json.loads(str(file["header"]))
    theta = changes.pop("theta", lambda t: t)(theta)
    header.update(changes)
    np.savez(path.with_suffix(".npz"), theta=theta, header=np.array(json.dumps(header)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "other"}, "its format is 'other'"),
        ({"version": 99}, "its version is 99, not 1"),
        ({"arguments": {"input_dim": 6, "latent": 2}}, "latent"),
        ({"arguments": {"input_dim": 7, "latent_dim": 2}}, "its parameters are"),
        ({"theta": lambda t: t[:-1]}, "its theta is of dtype float32 and shape"),
        ({"theta": lambda t: t.astype("float64")}, "its theta is of dtype float64"),
        ({"theta": lambda t: t.astype(complex)}, "its theta is of dtype complex128"),
        ({"history": 3}, "its history is 3"),
        ({"history": {"loss": [1.0, "2"]}}, "its history of .loss. is not a list of numbers"),
        ({"history": {"loss": [True]}}, "its history of .loss. is not a list of numbers"),
        (
            {"theta": lambda t: np.where(np.arange(len(t)) == 0, np.nan, t).astype(t.dtype)},
            r"its parameter encoder\.0\.W is not finite",
        ),
        (
            {
                "theta": lambda t: np.where(np.arange(len(t)) == len(t) - 1, np.inf, t).astype(
                    t.dtype
                )
            },
            r"its parameter decoder\.2\.b is not finite",
        ),
    ],
)
def test_a_file_with_something_wrong_inside_is_refused(tmp_path, changes, words):
    path = tmp_path / "m.npz"
    VAE(6, 2).save(path)
    altered(path, **changes)
    with pytest.raises(ValueError, match=f"not a model that miniae can read: .*{words}"):
        VAE.load(path)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text", "foreign", "pickled"])
def test_a_damaged_or_foreign_file_is_refused(tmp_path, damage):
    path = tmp_path / "m.npz"
    VAE(6, 2).save(path)
    whole = path.read_bytes()
    if damage == "foreign":
        np.savez(path, a=np.ones(3))
    elif damage == "pickled":
        np.savez(path, theta=np.array([{}], dtype=object), header=np.array("{}"))
    else:
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 0xFF
        path.write_bytes(
            {"truncated": whole[:1000], "flipped": flipped, "empty": b"", "text": b"hello"}[damage]
        )
    with pytest.raises(ValueError, match=r"m\.npz is not a model that miniae can read"):
        VAE.load(path)


def test_a_missing_file_stays_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        VAE.load(tmp_path / "nothing")


def test_nothing_in_the_file_is_a_pickle(tmp_path):
    VAE(6, 2).save(tmp_path / "m")
    with zipfile.ZipFile(tmp_path / "m") as file:
        assert sorted(file.namelist()) == ["header.npy", "theta.npy"]
    with np.load(tmp_path / "m", allow_pickle=False) as file:
        assert json.loads(str(file["header"]))["class"] == "VAE"


def test_a_file_of_release_0_1_0_loads_for_good():
    X = np.random.default_rng(7).random((12, 6)).astype(np.float32)
    model = VAE.load(Path(__file__).parents[1] / "data" / "vae_0_1_0.npz")
    assert (model.latent_dim, model.beta, model.kl_warmup) == (2, 2.0, 3)
    assert model.theta[:2].tolist() == [-0.6044238209724426, -0.39068442583084106]
    # Sums of 6 and 5 products of order 1 in float32.
    expected = [[-0.003178719198331237, 0.3216041922569275]]
    np.testing.assert_allclose(model.encode(X[:1]), expected, rtol=0, atol=1e-6)
    assert len(model.history["loss"]) == 4
    model.fit(X, epochs=1, verbose=0)


@pytest.mark.slow
def test_2000_damaged_files_are_refused_and_none_takes_much_memory(tmp_path):
    path, rng = tmp_path / "m.npz", np.random.default_rng(0)
    model = VAE(3, 1, (2,)).fit(X[:, :3], epochs=1, verbose=0)
    model.save(path)
    whole, refused = path.read_bytes(), 0
    tracemalloc.start()
    for _ in range(2000):
        data = bytearray(whole)
        kind = rng.integers(4)
        place = int(rng.integers(len(data)))
        if kind == 0:  # some bytes are others
            for place in rng.integers(len(data), size=rng.integers(1, 20)):
                data[place] = rng.integers(256)
        elif kind == 1:  # the end is missing
            del data[place:]
        elif kind == 2:  # something in the middle is missing, or there twice
            data[place : place + int(rng.integers(1, 200))] = data[:place][-50:]
        else:  # digits are others: shapes and sizes
            digits = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
            for i in rng.choice(digits, 3):
                data[i] = 57
        path.write_bytes(data)
        try:
            assert np.array_equal(VAE.load(path).theta, model.theta)
        except ValueError as error:
            refused += 1
            assert "is not a model that miniae can read" in str(error)
    assert refused > 1900 and tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_arguments_far_too_large_for_the_weights_are_refused_before_they_are_built(tmp_path):
    path = tmp_path / "m.npz"
    VAE(6, 2).save(path)
    absurd = {"class": "Dense", "arguments": {"n_in": 10**8, "n_out": 10**8}}
    for arguments in (
        {"input_dim": 6, "latent_dim": 2, "hidden": [10**9, 10**9]},
        {"input_dim": [10**6, 10**6], "latent_dim": 2},
        {"input_dim": 6, "latent_dim": 2, "decoder": absurd},
    ):
        altered(path, arguments=arguments)
        with pytest.raises(ValueError, match="but describes networks of"):
            VAE.load(path)


def test_unknown_and_missing_keys_are_refused_by_name(tmp_path):
    path = tmp_path / "m.npz"
    VAE(6, 2).save(path)
    arrays = archives.read(path)
    header = json.loads(str(arrays["header"]))
    lacking = {key: value for key, value in header.items() if key != "shapes"}
    for changed, word in (({**header, "color": 3}, "color"), (lacking, "shapes")):
        archives.write(path, {**arrays, "header": np.array(json.dumps(changed))})
        with pytest.raises(ValueError, match=f"missing or unknown entries: .*{word}"):
            VAE.load(path)
    archives.write(path, {**arrays, "extra": np.ones(2)})
    with pytest.raises(ValueError, match=r"entries that are not known: \['extra'\]"):
        VAE.load(path)


def test_a_fitted_model_survives_pickle_and_deepcopy_and_trains_on_the_same():
    model = VAE(6, 2, (4,), dropout=0.2).fit(X, epochs=2, verbose=0)
    clones = copy.deepcopy(model), pickle.loads(pickle.dumps(model))
    for one in (model, *clones):
        one.fit(X, epochs=2, verbose=0)
    assert all(one.theta.tobytes() == model.theta.tobytes() for one in clones)
    assert not np.shares_memory(clones[0].theta, model.theta)
