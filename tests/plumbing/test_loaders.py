"""Objects that give batches each time they are iterated over, as PyTorch's DataLoader does."""

import numpy as np
import pytest

from miniae import VAE, AnomalyDetector, Autoencoder, AutoencoderTransformer, ConditionalVAE
from miniae.plumbing.inputs import is_loader

X = np.random.default_rng(0).random((40, 6)).astype("float32")
LABELS = np.arange(40) % 3


class Tensor:
    """A stand-in for torch.Tensor."""

    def __init__(self, values):
        self.values = values
        self.shape, self.ndim = values.shape, values.ndim

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)

    def __len__(self):
        return len(self.values)


class Loader:
    """A stand-in for torch.utils.data.DataLoader: lists of tensors, like its default_collate."""

    def __init__(self, *arrays, batch_size=16, kind=list, wrap=Tensor):
        self.dataset, self.batch_size, self.kind, self.wrap = arrays, batch_size, kind, wrap

    def __iter__(self):
        for start in range(0, len(self.dataset[0]), self.batch_size):
            rows = slice(start, start + self.batch_size)
            batch = self.kind(self.wrap(a[rows]) for a in self.dataset)
            yield batch

    def __len__(self):
        return -(-len(self.dataset[0]) // self.batch_size)


EXPECTED = VAE(6, 2).fit(X, epochs=2, batch_size=16, shuffle=False, verbose=0).theta


@pytest.mark.parametrize("kind", [list, tuple, next])
@pytest.mark.parametrize("wrap", [Tensor, np.asarray])
def test_a_loader_trains_like_the_rows_in_its_order(kind, wrap):
    model = VAE(6, 2).fit(Loader(X, kind=kind, wrap=wrap), epochs=2, verbose=0)
    assert np.array_equal(model.theta, EXPECTED)


def test_a_loader_of_inputs_and_targets_trains_a_denoiser():
    model = VAE(6, 2).fit(Loader(X, 1 - X), epochs=2, verbose=0)
    options = {"epochs": 2, "batch_size": 16, "shuffle": False, "verbose": 0}
    assert np.array_equal(model.theta, VAE(6, 2).fit(X, 1 - X, **options).theta)


def test_a_loader_of_images_and_labels_trains_a_conditional_model():
    make = lambda: ConditionalVAE(6, 2, n_classes=3)  # noqa: E731
    model = make().fit(Loader(X, LABELS), epochs=2, verbose=0)
    options = {"epochs": 2, "batch_size": 16, "shuffle": False, "verbose": 0}
    assert np.array_equal(model.theta, make().fit(X, labels=LABELS, **options).theta)


def test_labels_for_a_model_without_labels_are_refused_with_what_to_write():
    with pytest.raises(ValueError, match=r"lambda: \(x for x, _ in X\)"):
        VAE(6, 2).fit(Loader(X, LABELS), epochs=1, verbose=0)


def test_what_a_loader_gives_is_checked_as_batches_are():
    with pytest.raises(ValueError, match=r"X\(\), batch 3: x must have shape|batch 1: x"):
        VAE(7, 2).fit(Loader(X), epochs=1, verbose=0)
    with pytest.raises(ValueError, match="must hold y"):
        VAE(6, 2).fit(Loader(X), X, epochs=1, verbose=0)


def test_iterators_stay_refused_and_lists_stay_arrays():
    with pytest.raises(ValueError, match="X is an iterator"):
        VAE(6, 2).fit(iter(Loader(X)), epochs=1, verbose=0)
    assert not any(
        map(is_loader, (X, X.tolist(), list(X), tuple(X), {}, {1}, "text", b"", range(3), 3.0))
    )
    by_rows = Autoencoder(6, 2).fit(list(X), epochs=1, verbose=0)
    assert np.array_equal(by_rows.theta, Autoencoder(6, 2).fit(X, epochs=1, verbose=0).theta)


def test_tables_and_sparse_matrices_are_not_loaders():
    pandas = pytest.importorskip("pandas")
    sparse = pytest.importorskip("scipy.sparse")
    assert not is_loader(pandas.DataFrame(X)) and not is_loader(pandas.Series([1.0]))
    assert not is_loader(sparse.csr_matrix(X)) and not is_loader(sparse.csr_array(X))


def test_pytorchs_own_loader_trains():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.from_numpy(X))
    loader = torch.utils.data.DataLoader(data, batch_size=16)
    assert np.array_equal(VAE(6, 2).fit(loader, epochs=2, verbose=0).theta, EXPECTED)


def test_images_and_labels_of_pytorch_are_told_the_shape_that_the_model_has():
    """Images (n, 1, 2, 3), as ToTensor makes them, for a model of 6 features."""
    loader, model = Loader(X.reshape(40, 1, 2, 3), LABELS), Autoencoder(6, 2, (4,))
    with pytest.raises(ValueError, match=r"lambda: \(x.reshape\(-1, 6\) for x, _ in X\)"):
        model.fit(loader, verbose=0)
    advised = model.fit(
        lambda: (np.asarray(x).reshape(-1, 6) for x, _ in loader), epochs=1, verbose=0
    )
    assert len(advised.history["loss"]) == 1
    conditional = ConditionalVAE(6, 2, (4,), n_classes=3)
    with pytest.raises(ValueError, match=r"got \(16, 1, 2, 3\).*reshape\(-1, 6\)"):
        conditional.fit(loader, verbose=0)


def test_batches_that_are_dicts_are_told_to_pick_a_key():
    loader = [{"image": X[:20], "label": LABELS[:20]}]
    with pytest.raises(ValueError, match=r"lambda: \(batch\['image'\] for batch in X\)"):
        Autoencoder(6, 2).fit(IterOnly(loader), verbose=0)


class IterOnly:
    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


@pytest.mark.parametrize(
    "use",
    [
        lambda model, loader: model.fit(X, validation_data=loader, verbose=0),
        lambda model, loader: model.evaluate(loader),
        lambda model, loader: model.encode(loader),
        lambda model, loader: AnomalyDetector(model).fit(loader),
        lambda model, loader: AutoencoderTransformer(2).fit(loader),
    ],
)
def test_only_fit_of_a_model_takes_a_loader_and_the_others_say_what_they_take(use):
    with pytest.raises(TypeError, match="is a Loader, which gives batches: .*np.concatenate"):
        use(Autoencoder(6, 2), Loader(X))


def test_a_pair_of_arrays_in_place_of_one_is_told_to_take_the_first():
    with pytest.raises(ValueError, match=r"X is a tuple whose 2 entries differ.*X\[0\]"):
        Autoencoder(6, 2).fit((X, LABELS), verbose=0)
