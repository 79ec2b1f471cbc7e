"""A multi-modal VAE given to the rest of the library, and data of a wrong kind given to it."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from miniae import (
    VAE,
    AnomalyDetector,
    Autoencoder,
    CategoricalNLL,
    ColumnGaussianNLL,
    Dropout,
    GaussianPrior,
    MultimodalVAE,
    check_sampler,
    plots,
    suggest,
)
from miniae.proof.bugzoo import ZOO
from miniae.proof.bugzoo.multimodal import every_subset, exact_bound, exact_subsets, linear_experts
from miniae.variants.experts import Shaped

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


@pytest.mark.slow
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


# Formulas that other tests would not miss.


def test_terms_of_incomplete_rows_use_the_noise_of_their_row():
    made, X = model(), data()
    X["text"][::2], X["image"][1:6] = np.nan, np.nan
    x, eps = made.pack(X), np.random.default_rng(3).standard_normal((N, 2))
    rows, keep = made.draw_terms(x, None)
    assert len(rows) < 4 * N
    terms = np.where(np.repeat(keep, made.sizes, axis=1), x[rows], np.nan)
    by_hand = [made.loss(term[None], eps=eps[[row]]) for term, row in zip(terms, rows, strict=True)]
    assert made.loss(x, eps=eps, training=True) == pytest.approx(np.mean(by_hand), rel=1e-12)


def test_a_random_subset_has_each_modality_with_probability_one_half():
    made = model(n_subsets=1)
    x = np.tile(made.pack(data()), (200, 1))
    _, keep = made.draw_terms(x, np.random.default_rng(0))
    subsets = keep[4 * len(x) :]  # after all, and each alone; the empty and the full are left out
    assert len(subsets) / len(x) == pytest.approx(6 / 8, abs=5 * np.sqrt(0.75 * 0.25 / len(x)))
    np.testing.assert_allclose(subsets.mean(axis=0), 0.5, atol=5 * 0.5 / np.sqrt(len(subsets)))


def test_a_missing_expert_leaves_even_a_very_wide_prior_alone():
    made = model(prior=GaussianPrior(0.0, np.exp(30.0)))
    _, log_var = made.posterior({"image": np.full((1, 4, 4), np.nan)})
    np.testing.assert_allclose(log_var, 60, rtol=1e-12)


def test_dropout_is_in_each_network_that_hidden_describes_and_in_the_parameters():
    made = model(dropout=0.3)
    product = made.encoder.layers[0]
    for network in product.parts.values():
        assert any(isinstance(layer, Dropout) for layer in network.layers)
    assert made.dropout == made.get_params()["dropout"] == 0.3


def test_numbers_that_a_scaler_rounds_past_1_are_taken():
    X = data()
    X["image"][0, 0, 0] = np.nextafter(1.0, 2.0)
    assert np.isfinite(model().encode(X)).all()


@pytest.mark.parametrize("n_draws", [0, -1, 1.5])
def test_a_number_of_draws_below_1_is_refused(n_draws):
    with pytest.raises(ValueError, match="n_draws"):
        model().generate("text", {"image": data()["image"]}, n_draws=n_draws)


def test_an_encoder_that_diverged_is_named():
    made = model()
    made.theta *= 1e308
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="product is not"):
        made.encode(data())


def test_a_loss_of_images_draws_what_the_loss_of_flat_images_draws():
    out = np.random.default_rng(0).standard_normal((5, 6))
    sigma = 0.5 + np.arange(6.0)
    flat = ColumnGaussianNLL(sigma).draw(out, np.random.default_rng(1))
    shaped = Shaped(ColumnGaussianNLL(sigma.reshape(2, 3)), (2, 3))
    np.testing.assert_array_equal(shaped.draw(out, np.random.default_rng(1)), flat)
