"""A multi-modal VAE given to the rest of the library, and data of a wrong kind given to it."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from miniae import (
    VAE,
    AnomalyDetector,
    Autoencoder,
    CategoricalNLL,
    MultimodalVAE,
    check_sampler,
    plots,
    suggest,
)
from miniae.proof.bugzoo import ZOO
from miniae.proof.bugzoo.multimodal import every_subset, exact_bound, exact_subsets, linear_experts

N = 20
FORWARD_WRONG = [each for each in ZOO if each.instrument in (exact_subsets, exact_bound)]


def model(**options):
    """Return a model of images and words with random weights, in float64."""
    likelihood = {"image": "bernoulli", "text": CategoricalNLL(2), "price": "gaussian"}
    sizes = {"image": (4, 4), "text": 4, "price": 1}
    made = MultimodalVAE(sizes, 2, (5,), likelihood=likelihood, dtype="float64", **options)
    made.theta += 0.5 * np.random.default_rng(1).standard_normal(made.theta.size)
    return made


def data():
    """Return complete data, a dict."""
    rng = np.random.default_rng(0)
    text = np.eye(2)[rng.integers(2, size=(N, 2))].reshape(N, 4)
    return {"image": rng.random((N, 4, 4)), "text": text, "price": rng.random((N, 1))}


@pytest.mark.parametrize("options", [{}, {"n_subsets": 2}])
def test_the_sampler_of_a_multimodal_vae_is_checked_in_training_and_in_evaluation(options):
    report = check_sampler(model(**options), n=1000)
    assert report.ok, report


def test_a_wrong_sampler_of_a_multimodal_vae_is_found():
    class Unsure(MultimodalVAE):
        def infer(self, x, training=False):
            mu, log_var = super().infer(x, training)
            return mu, log_var + training

    made = Unsure({"a": 2, "b": 2}, 2, (3,), likelihood="gaussian", dtype="float64")
    assert not check_sampler(made, n=1000).ok


def test_the_class_alone_cannot_be_checked():
    with pytest.raises(TypeError, match="MultimodalVAE needs more to be built .*pass a model"):
        check_sampler(MultimodalVAE)


@pytest.mark.parametrize(
    "call",
    [
        lambda X: VAE(4, 2).fit(X),
        lambda X: Autoencoder(4, 2).encode(X),
        lambda X: AnomalyDetector(model()).fit(X),
        lambda X: suggest(X, "generate"),
    ],
)
def test_a_dict_where_one_array_is_needed_is_refused_with_its_keys(call):
    with pytest.raises(TypeError, match=r"X is a dict with the keys \['image', 'text', 'price'\]"):
        call(data())


@pytest.mark.parametrize(
    "call",
    [
        lambda made, X: plots.samples(made),
        lambda made, X: plots.traversal(made),
        lambda made, X: plots.latent_manifold(made),
        lambda made, X: plots.reconstructions(made, X),
        lambda made, X: plots.interpolation(made, X, X),
        lambda made, X: plots.latent_scatter(VAE(4, 2), X),
    ],
)
def test_a_plot_of_several_modalities_names_them(call):
    with pytest.raises(ValueError, match=r"is a dict with the keys \['image', 'text', 'price'\]"):
        call(model(), data())


def test_the_codes_of_incomplete_data_are_drawn():
    made, X = model(), data()
    X["text"][:5] = np.nan
    figure = plots.latent_scatter(made, X)
    points = figure.axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(points, made.encode(X), rtol=1e-12)
    plt.close(figure)


def test_a_detector_takes_packed_rows_some_of_them_incomplete():
    made, X = model(), data()
    rows = made.pack(X)
    rows[:5, 16:20] = np.nan
    found = AnomalyDetector(made).fit(rows, epochs=1, verbose=0)
    scores = found.decision_function(made.pack({"image": X["image"]}))
    np.testing.assert_allclose(scores, found.model_.anomaly_score({"image": X["image"]}))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda X: X | {"image": (X["image"] * 255).astype("uint8")}, r"grey levels: X / 255"),
        (lambda X: X | {"image": X["image"][..., None]}, r"x\[\.\.\., 0\] removes the axis"),
        (lambda X: X | {"image": X["image"][0]}, r"a single sample is x\[None\]"),
        (lambda X: X | {"price": X["price"][:, 0]}, r"x\[\.\.\., None\] adds the axis"),
        (
            lambda X: X | {"text": np.array([None, *X["text"][1:]], dtype=object)},
            r'X\["text"\] must hold real numbers.* a list of samples may have None',
        ),
    ],
)
def test_wrong_data_of_a_modality_are_refused_with_a_remedy(change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        model().encode(change(data()))


@pytest.mark.parametrize("target", [None, 1, {"text": 4}])
def test_a_target_that_is_not_a_name_is_refused(target):
    with pytest.raises(TypeError, match=r"must be the name of a modality, or a list of names"):
        model().generate(target, {"image": data()["image"]})


def test_traversals_start_from_a_list_as_from_a_dict():
    made, X = model(), data()
    first = made.traverse({"image": X["image"][0], "text": X["text"][0]}, steps=3)
    again = made.traverse([X["image"][0], X["text"][0], None], steps=3)
    np.testing.assert_array_equal(first["price"], again["price"])
    with pytest.raises(ValueError, match=r"x is one array of shape \(4, 4\)"):
        made.traverse(X["image"][0])


@pytest.mark.parametrize("each", FORWARD_WRONG, ids=lambda each: each.id)
def test_a_wrong_product_or_bound_has_a_backward_pass_that_fits_it(each):
    """Its one fault is in forward, so only an exact answer shows it, not a gradient check."""
    made, mean, covariance = linear_experts(each.wrong, 0)
    made.theta += 0.1 * np.random.default_rng(0).standard_normal(made.theta.size)
    x = every_subset(made, mean, covariance, 0)
    eps = np.random.default_rng(1).standard_normal((len(x), 2))
    made.loss(x, eps=eps)
    made.backward()
    step = np.random.default_rng(2).standard_normal(made.theta.size)
    moved = made.astype("complex128")
    moved.theta += 1e-30j * step
    slope = moved.loss(x, eps=eps).imag / 1e-30
    assert made.dtheta @ step == pytest.approx(slope, rel=1e-10)
