"""The models that demos/family builds on the library: VQ-VAE, two layers of latents, a flow."""

import copy

import numpy as np
import pytest
from demo_runs import load, quick, run

from miniae import (
    VAE,
    Autoencoder,
    Dense,
    GaussianNLL,
    ImportanceWeightedVAE,
    Sequential,
    gradient_check,
)
from miniae.numerics import LOG_2PI
from miniae.proof.gradcheck import complex_step, relative_error
from miniae.proof.quadrature import grid_log_likelihood

H = 1e-30  # the complex step
SLOW = pytest.mark.slow


def gradient_of(model, x, **given):
    """Return what backward claims, and the complex step of the same loss."""
    model.loss(x, **given)
    model.backward()
    other = model.astype(np.complex128)

    def loss(theta):
        other.theta = theta
        return other.loss(x, **given)

    return model.dtheta.copy(), complex_step(loss, model.theta)


def normal(z, mu, log_var):
    """Return log N(z; mu, exp(log_var)), summed over latents."""
    return -0.5 * ((z - mu) ** 2 * np.exp(-log_var) + log_var + LOG_2PI).sum(axis=-1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:latent_dim")  # as many as features, for a test
def test_the_models_are_saved_and_copied_and_reconstruct_as_others_do(tmp_path):
    small = {"vq_vae": small_vq, "hierarchical": small_layers, "flow": small_flow}
    for name, build in small.items():
        with load(name) as demo:
            model, x, *_ = build(demo)
            path = tmp_path / "model.npz"
            model.fit(x, epochs=2, batch_size=4, verbose=0).save(path)
            for other in (type(model).load(path), copy.deepcopy(model)):
                assert np.array_equal(other.reconstruct(x), model.reconstruct(x))
                assert other.evaluate(x) == model.evaluate(x)
            assert model.encode(x).shape == (len(x), model.latent_dim)
            assert model.interpolate(x[0], x[1], 3).shape == (3, x.shape[1])


# VQ-VAE


@pytest.fixture
def vq():
    with load("vq_vae") as demo:
        yield demo


def small_vq(demo, **more):
    """Return a model with codewords spread like the encoder's outputs, and data for it."""
    rng = np.random.default_rng(0)
    model = demo.VQVAE(6, 6, (8,), 3, 5, loss="mse", dtype="float64", **more)
    model.codebook.theta = rng.standard_normal(30)
    model.encoder.layers[-1].params["b"] = rng.standard_normal(6)
    return model, rng.standard_normal((7, 6))


@pytest.mark.slow
def test_straight_through_is_the_exact_gradient_of_the_loss_with_the_stopped_parts_held(vq):
    # The complex step leaves the real part of a number alone, so `stop` is a constant for it.
    model, x = small_vq(vq, commitment=0.3)
    gradient, numeric = gradient_of(model, x)
    assert relative_error(gradient, numeric).max() < 1e-12
    assert len(np.unique(model.nearest(model.encoder(x)))) > 2


def test_the_same_holds_if_the_constants_are_numbers_and_the_formula_is_written_out(vq):
    model, x = small_vq(vq, commitment=0.3)
    loss = model.loss(x)
    model.backward()
    e0 = model.encoder(x)
    index = model.nearest(e0)
    q0 = model.codebook.params["W"][index].reshape(e0.shape)
    other = model.astype(np.complex128)

    def surrogate(theta):
        other.theta = theta
        e = other.encoder(x)
        q = other.codebook.params["W"][index].reshape(e.shape)
        out = other.decoder(e + (q0 - e0))
        terms = (x - out) ** 2, (e0 - q) ** 2, 0.3 * (e - q0) ** 2
        return sum(term.sum() for term in terms) / len(x)

    assert surrogate(model.theta).real == pytest.approx(loss, rel=1e-14)
    assert relative_error(model.dtheta, complex_step(surrogate, model.theta)).max() < 1e-12


@pytest.mark.slow
def test_a_gradient_check_of_the_loss_itself_agrees_in_the_decoder_and_nowhere_else(vq):
    report = gradient_check(*small_vq(vq))
    assert report.method == "central difference" and report.verdict == "WRONG"
    right = {block.name for block in report.blocks if block.error < 1e-9}
    assert right == {block.name for block in report.blocks if block.name.startswith("decoder")}


def test_where_the_codewords_are_the_encoders_outputs_it_is_a_plain_autoencoder(vq):
    model, x = small_vq(vq)
    model.codebook.params["W"] = np.full((15, 2), 9.0)
    model.codebook.params["W"][[2, 5, 14]] = model.encoder(x[:1]).reshape(3, 2)
    plain = Autoencoder(6, 6, (8,), loss="mse", dtype="float64")
    size = plain.theta.size
    plain.theta = model.theta[:size]
    assert model.loss(x[:1]) == pytest.approx(plain.loss(x[:1]), rel=1e-14)
    model.backward()
    plain.backward()
    assert relative_error(model.dtheta[:size], plain.dtheta).max() < 1e-14
    assert np.abs(model.dtheta[size:]).max() < 1e-14


def test_each_part_takes_the_nearest_of_its_own_codewords(vq):
    model, x = small_vq(vq)
    e, words = model.encoder(x).reshape(7, 3, 1, 2), model.codebook.params["W"].reshape(3, 5, 2)
    expected = ((e - words) ** 2).sum(axis=3).argmin(axis=2) + 5 * np.arange(3)
    assert np.array_equal(model.nearest(model.encoder(x)), expected)


def test_a_codeword_rests_at_the_mean_of_the_parts_that_use_it_as_in_k_means(vq):
    model, x = small_vq(vq)
    e, index = model.encoder(x).reshape(-1, 2), model.nearest(model.encoder(x))
    for c in np.unique(index):
        model.codebook.params["W"][c] = e[index.ravel() == c].mean(axis=0)
    model.nearest = lambda _: index  # hold the assignment
    model.loss(x)
    model.backward()
    assert np.abs(model.codebook.dtheta).max() < 1e-14


def test_codes_are_codewords_and_the_decoder_sees_the_same(vq):
    model, x = small_vq(vq)
    codes = model.encode(x)
    words = model.codebook.params["W"]
    assert np.array_equal(codes, words[model.nearest(model.encoder(x))].reshape(codes.shape))
    error = ((model.reconstruct(x) - x) ** 2).sum(axis=1).mean()
    model.loss(x)
    assert model.terms["reconstruction"] == pytest.approx(error, rel=1e-12)


def test_dead_codewords_move_to_their_part_of_a_code_and_the_others_stay(vq):
    model, x = small_vq(vq)
    x = np.random.default_rng(3).standard_normal((20, 6))
    words = model.codebook.params["W"]
    words[[1, 13]] = 99.0
    before = words.copy()
    used = np.unique(model.nearest(model.encoder(x)))
    dead = sorted(set(range(15)) - set(used))
    vq.revive(model, x, np.random.default_rng(0))
    assert {1, 13} <= set(dead) and np.array_equal(words[used], before[used])
    parts = model.encoder(x).reshape(20, 3, 2)
    assert all((words[c] == parts[:, c // 5]).all(axis=1).any() for c in dead)
    assert len(np.unique(words, axis=0)) == 15
    assert set(dead) <= set(model.nearest(model.encoder(x)).ravel())


def test_perplexity_counts_equally_frequent_numbers(vq):
    assert vq.perplexity(np.array([[3, 5], [5, 3]])) == pytest.approx(2, rel=1e-15)
    assert vq.perplexity(np.zeros((4, 2))) == 1
    assert 1 < vq.perplexity(np.array([0, 0, 0, 1])) < 2


def test_k_means_ends_where_each_centre_is_the_mean_of_its_rows_and_rounding_uses_them(vq):
    rng = np.random.default_rng(1)
    Z = rng.standard_normal((90, 6))
    codes, index = vq.rounded(Z, Z, 3, 4, rng)
    assert index.shape == (90, 3) and index.max() < 4
    for part, here in enumerate(np.split(np.arange(6), 3)):
        values = np.array([Z[index[:, part] == c][:, here].mean(axis=0) for c in range(4)])
        assert np.allclose(codes[:, here], values[index[:, part]], rtol=0, atol=1e-12)
        distance = ((Z[:, None, here] - values) ** 2).sum(axis=2)
        assert np.array_equal(distance.argmin(axis=1), index[:, part])


def test_rounding_takes_its_centres_from_the_training_data_only(vq):
    Z = np.repeat([[0.0], [1.0]], 5, axis=0)
    codes, index = vq.rounded(Z, np.array([[0.4], [0.9], [7.0]]), 1, 2, np.random.default_rng(3))
    assert set(codes.ravel()) <= {0.0, 1.0} and index.shape == (3, 1)


@pytest.mark.demo
def test_vq_vae_quick_prints_its_baselines_and_what_the_codebook_is_used_for(tmp_path):
    table, pictures = quick(tmp_path, "vq_vae")
    assert list(table) == [
        "PCA, 8 numbers", "autoencoder, 8 numbers", "autoencoder, 32 numbers",
        "VQ-VAE, dead ones stay", "VQ-VAE, dead ones moved",
    ]  # fmt: skip
    for row in table.values():
        *_, used, total, perplexity, bits = row
        assert total == 256 and used <= 256 and bits <= 40
        assert perplexity == pytest.approx(2 ** (bits / 8), rel=2e-3)
    assert pictures == {"reconstructions"}


# Two layers of latents


@pytest.fixture
def layers():
    with load("hierarchical") as demo:
        yield demo


def small_layers(demo, ladder=True, **more):
    rng = np.random.default_rng(0)
    model = demo.HierarchicalVAE(
        6, 3, 2, (5,), ladder, loss="bernoulli", activation="tanh", dtype="float64", **more
    )
    model.theta = 0.7 * rng.standard_normal(model.theta.size)
    return model, rng.random((7, 6)), rng.standard_normal((7, 5))


@pytest.mark.slow
@pytest.mark.parametrize("ladder", [True, False])
def test_two_layers_have_the_right_gradient(layers, ladder):
    model, x, eps = small_layers(layers, ladder, kl_warmup=10)
    model.start_epoch(3)
    gradient, numeric = gradient_of(model, x, eps=eps, training=True)
    assert relative_error(gradient, numeric).max() < 1e-12
    terms = model.terms
    kls = terms["kl"] + terms["kl2"]
    assert terms["loss"] == pytest.approx(terms["reconstruction"] + 0.3 * kls, rel=1e-14)
    assert model.loss(x, eps=eps) == pytest.approx(terms["loss"] + 0.7 * kls, rel=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("ladder", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_two_layers_pass_the_whole_gradient_check(layers, ladder, training):
    model, x, eps = small_layers(layers, ladder)
    report = gradient_check(model, x, eps=eps, training=training)
    assert report.ok and report.max_error < 1e-12


def test_the_ladders_posterior_is_the_encoders_gaussian_times_the_prior(layers):
    model, x, eps = small_layers(layers, True)
    (mu_hat, log_var_hat, *_), prior, posterior, w, _ = model.draw(x, eps)
    z = np.random.default_rng(3).standard_normal((50, 1, 3))
    rest = [normal(z, *q) for q in ((mu_hat, log_var_hat), prior, posterior)]
    constant = rest[0] + rest[1] - rest[2]
    assert np.abs(constant - constant[0]).max() < 1e-12
    assert 0.01 < w.min() < w.max() < 0.999  # neither of the two decides alone


@pytest.mark.parametrize("ladder", [True, False])
def test_the_kls_are_those_of_the_densities(layers, ladder):
    model, x, eps = small_layers(layers, ladder)
    code, prior, (mu1, log_var1), _, _ = model.draw(x, eps)
    model.loss(x, eps=eps)
    nodes, weights = np.polynomial.hermite_e.hermegauss(4)  # exact: log densities are quadratic
    weights = weights / weights.sum()

    def kl(q, p):
        # Latents are independent, so it suffices to move all of them together.
        z = q[0] + nodes[:, None, None] * np.exp(0.5 * q[1])
        return (weights @ (normal(z, *q) - normal(z, *p))).mean()

    assert model.terms["kl"] == pytest.approx(kl((mu1, log_var1), prior), rel=1e-12)
    zero = np.zeros_like(code[2])
    assert model.terms["kl2"] == pytest.approx(kl(code[2:], (zero, zero)), rel=1e-12)


def test_without_a_network_above_it_is_a_vae_with_unused_latents(layers):
    model, x, eps = small_layers(layers, False)
    model.top.theta = np.zeros_like(model.top.theta)  # p(z1|z2) = N(0, I)
    vae = VAE(6, 3, (5,), dtype="float64")
    last = model.encoder.layers[-1].params
    vae.encoder.theta = np.concatenate(
        [model.encoder.layers[0].theta, last["W"][:, :6].ravel(), last["b"][:6]]
    )
    vae.decoder.theta = model.decoder.theta
    model.loss(x, eps=eps)
    assert vae.loss(x, eps=eps[:, :3]) == pytest.approx(
        model.terms["loss"] - model.terms["kl2"], rel=1e-13
    )


@pytest.mark.slow
@pytest.mark.parametrize("ladder", [True, False])
def test_importance_weights_of_two_layers_average_to_the_exact_likelihood(layers, ladder):
    model = layers.HierarchicalVAE(
        4, 1, 1, (6,), ladder, loss="bernoulli", activation="tanh", dtype="float64"
    )
    rng = np.random.default_rng(5)
    model.theta = rng.standard_normal(model.theta.size)
    x = rng.random((1, 4))
    z = np.linspace(-8, 8, 401)[:, None]
    zeros, h = np.zeros_like(z), 16 / 400
    nll = model.reconstruction_loss.per_sample
    wide = np.linspace(-20, 20, 2001)[:, None]
    log_px = -nll(model.decoder(wide), np.repeat(x, len(wide), axis=0))
    mu_p, log_var_p = np.split(model.top(z), 2, axis=1)
    z1 = normal(wide[None], mu_p[:, None], log_var_p[:, None])  # (z2, z1)
    joint = log_px + z1 + normal(z, zeros, zeros)[:, None]
    exact = np.exp(joint).sum() * h * (40 / 2000)

    many = np.repeat(x, 20_000, axis=0)
    eps = rng.standard_normal((len(many), 2))
    (_, _, mu2, log_var2), prior, posterior, _, (noise2, noise1) = model.draw(many, eps)
    z2, z1 = mu2 + noise2, posterior[0] + noise1
    out = model.decoder(z1)
    log_w = normal(z1, *prior) + normal(z2, 0, 0 * z2) - nll(out, many)
    w = np.exp(log_w - normal(z1, *posterior) - normal(z2, mu2, log_var2))
    assert abs(w.mean() - exact) < 4 * w.std() / np.sqrt(len(w))


def test_the_code_is_the_mean_of_z1_at_the_mean_of_z2(layers):
    model, x, _ = small_layers(layers)
    code = model.draw(x, np.zeros((7, 5)))[2][0]
    assert np.array_equal(model.encode(x), code)


def test_warm_up_ends_at_the_whole_kl_and_latents_in_use_are_those_with_a_kl(layers):
    model, x, eps = small_layers(layers, False, kl_warmup=4)
    shares = []
    for epoch in (0, 1, 4, 9):
        model.start_epoch(epoch)
        shares.append(model.kl_share)
    assert shares == [0, 0.25, 1, 1]
    last = model.encoder.layers[-1].params  # q(z2|x) = N(0, I) but for the mean of its first latent
    last["W"][:, 6:], last["b"][6:] = 0, [1, 0, 0, 0]
    model.loss(x, eps=eps)
    assert model.terms["used2"] == 1 and model.terms["kl2"] == pytest.approx(0.5, rel=1e-14)
    assert model.terms["used"] == 3


@pytest.mark.demo
def test_hierarchical_quick_prints_models_of_equal_size(tmp_path):
    table, pictures = quick(tmp_path, "hierarchical")
    sizes = [row[0] for row in table.values()]
    assert max(sizes) < 1.01 * min(sizes) and len(table) == 5
    assert pictures == {"samples"}


# Flows


@pytest.fixture
def flow():
    with load("flow") as demo:
        yield demo


def small_flow(demo, n_flows=3, latent_dim=2):
    rng = np.random.default_rng(0)
    model = demo.FlowVAE(
        3, latent_dim, (5,), n_flows=n_flows, loss="gaussian", activation="tanh", dtype="float64"
    )
    return model, rng.standard_normal((7, 3)), rng.standard_normal((7, latent_dim))


def jacobian(f, z):
    """Return the derivatives (n, d, d) of f at z (n, d), row by row, by the complex step."""
    J = np.empty((*z.shape, z.shape[1]))
    for k in range(z.shape[1]):
        moved = z.astype(complex)
        moved[:, k] += 1j * H
        J[:, :, k] = f(moved).imag / H
    return J


@pytest.mark.parametrize(
    "latent_dim", [2, pytest.param(1, marks=SLOW), pytest.param(4, marks=SLOW)]
)
def test_a_flow_has_the_right_gradient(flow, latent_dim):
    model, x, eps = small_flow(flow, 3, latent_dim)
    assert relative_error(*gradient_of(model, x, eps=eps)).max() < 1e-12


@pytest.mark.slow
def test_a_flow_passes_the_whole_gradient_check(flow):
    model, x, eps = small_flow(flow, 3)
    report = gradient_check(model, x, eps=eps)
    assert report.ok and report.max_error < 1e-12


@pytest.mark.parametrize("latent_dim", [1, 2, 5])
def test_log_det_is_that_of_the_jacobian_and_the_map_keeps_its_orientation(flow, latent_dim):
    rng, planar = np.random.default_rng(1), flow.Planar()
    z, w, u = 2 * rng.standard_normal((3, 200, latent_dim))
    b = rng.standard_normal((200, 1))
    assert (w * u).sum(axis=1).min() < -3  # where z + u tanh(w.z + b) would not be one to one
    _, log_det = planar.forward(z, w, u, b)
    J = jacobian(lambda moved: planar.forward(moved, w, u, b)[0], z)
    det = np.linalg.det(J)
    assert det.min() > 0
    # The rounding of det J is that of its entries, which may cancel: J - I can be large.
    size = 1 + np.linalg.norm(J - np.eye(latent_dim), axis=(1, 2))
    assert (np.abs(det - np.exp(log_det[:, 0])) / size).max() < 1e-14


def test_log_q_of_the_whole_flow_is_the_density_of_its_draws(flow):
    model, x, eps = small_flow(flow, 4)
    _, log_q, _ = model.draw(x, eps)
    other = model.astype(np.complex128)
    J = jacobian(lambda moved: other.draw(x.astype(complex), moved)[0], eps)
    expected = normal(eps, 0, 0 * eps) - np.log(np.abs(np.linalg.det(J)))
    assert np.abs(log_q - expected).max() < 1e-12


@pytest.mark.slow
def test_a_wrong_log_det_passes_the_gradient_check_but_not_the_determinant(flow):
    class Forgetful(flow.Planar):
        """Half of log det is forgotten, in both passes."""

        def forward(self, *arguments):
            z, log_det = super().forward(*arguments)
            return z, 0.5 * log_det

        def backward(self, dz, dlog_det):
            return super().backward(dz, 0.5 * dlog_det)

    model, x, eps = small_flow(flow, 2)
    model.flows = [Forgetful(), Forgetful()]
    assert gradient_check(model, x, eps=eps).ok
    _, log_q, _ = model.draw(x, eps)
    other = model.astype(np.complex128)
    J = jacobian(lambda moved: other.draw(x.astype(complex), moved)[0], eps)
    expected = normal(eps, 0, 0 * eps) - np.log(np.abs(np.linalg.det(J)))
    assert np.abs(log_q - expected).max() > 0.1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_det_keeps_its_digits_where_the_map_is_almost_flat(flow, dtype):
    # At t = 0 the determinant is softplus(w.u), about e^(w.u): far below the rounding of 1.
    a = np.array([[-5.0], [-20.0], [-40.0], [-80.0]], dtype)
    planar, one = flow.Planar(), np.ones_like(a)
    log_det = planar.forward(0 * a, one, a, 0 * a)[1]
    np.testing.assert_allclose(log_det, np.log(np.log1p(np.exp(a.astype(float)))), rtol=1e-6)
    gradients = planar.backward(0 * a, one)
    np.testing.assert_allclose(gradients[2], one, rtol=0.01)  # du of log det, about w


def test_the_code_of_a_flow_has_no_noise_and_its_draws_have_noise_for_each_row(flow):
    model, x, _ = small_flow(flow)
    assert np.array_equal(model.encode(x), model.draw(x, np.zeros((7, 2)))[0])
    same = np.repeat(x[:1], 4, axis=0)
    draws = model.posterior_sample(same, seed=0)[0]
    assert len(np.unique(draws, axis=0)) == 4
    assert np.array_equal(draws, model.posterior_sample(same, seed=0)[0])


def test_without_flows_it_is_a_vae_whose_kl_is_that_of_its_draw(flow):
    model, x, eps = small_flow(flow, 0)
    vae = ImportanceWeightedVAE(3, 2, (5,), k=1, likelihood="gaussian", dtype="float64")
    vae.theta = model.theta
    assert model.loss(x, eps=eps) == pytest.approx(vae.loss(x, eps=eps[None]), rel=1e-14)
    model.backward()
    vae.backward()
    assert relative_error(model.dtheta, vae.dtheta).max() < 1e-14


@pytest.mark.slow
def test_importance_weights_of_a_flow_average_to_the_exact_likelihood(flow):
    decoder = Sequential(flow.Bend())
    loss = GaussianNLL(1.0)
    model = flow.FlowVAE(1, 2, (8,), n_flows=2, loss=loss, decoder=decoder, dtype="float64")
    exact = np.exp(flow.log_likelihood(np.array([[1.0]]), 1.0))[0]
    x, rng = np.ones((20_000, 1)), np.random.default_rng(2)
    z, log_q, _ = model.draw(x, rng.standard_normal((len(x), 2)))
    nll = model.reconstruction_loss.per_sample(model.decoder(z), x)
    w = np.exp(normal(z, 0, 0 * z) - nll - log_q)
    assert abs(w.mean() - exact) < 4 * w.std() / np.sqrt(len(w))


@pytest.mark.slow
def test_the_bent_decoder_has_the_right_gradient_and_likelihood(flow):
    rng = np.random.default_rng(4)
    assert gradient_check(flow.Bend(), rng.standard_normal((5, 2))).max_error < 1e-12
    vae = VAE(1, 2, (4,), decoder=Sequential(flow.Bend()), likelihood=GaussianNLL(0.5))
    X = np.array([[-1.0], [0.5], [3.0]])
    log_p, error = grid_log_likelihood(vae, X, points=301, width=6.0)
    assert error.max() < 1e-6
    assert (np.abs(flow.log_likelihood(X, 0.5) - log_p) <= error).all()


@pytest.mark.slow
def test_the_best_gaussian_is_the_posterior_itself_where_that_is_gaussian(flow):
    rng = np.random.default_rng(6)
    decoder = Sequential(Dense(2, 3, rng=rng, dtype="float64"))
    vae = VAE(3, 2, (4,), decoder=decoder, likelihood=GaussianNLL(0.8), dtype="float64")
    W, X = vae.decoder.layers[0].params["W"], rng.standard_normal((5, 3))
    C = W.T @ W + 0.64 * np.eye(3)
    log_p = -0.5 * ((X @ np.linalg.inv(C) * X).sum(axis=1) + np.linalg.slogdet(2 * np.pi * C)[1])
    best = flow.best_gaussian_elbo(vae, X)
    assert (best <= log_p + 1e-10).all()
    assert np.abs(best - log_p).max() < 1e-3  # Adam ends near the maximum, not at it


@pytest.mark.demo
def test_flow_quick_prints_the_gap_to_the_exact_likelihood(tmp_path):
    table, pictures = quick(tmp_path, "flow")
    exact = table["log p(x), by quadrature"][0]
    for elbo, gap in table.values():
        assert elbo + gap == pytest.approx(exact, abs=2e-3) and gap >= 0
    assert table["the best Gaussian for each x"][1] <= table["VAE, Gaussian q"][1]
    assert pictures == {"posteriors"}


@pytest.mark.full
@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_flows_come_closer_than_any_gaussian_can(tmp_path, seed):
    gap = {name: row[1] for name, row in run(tmp_path, "flow", "--seed", seed).table.items()}
    assert gap["planar flows: 4"] < gap["the best Gaussian for each x"] / 2
    assert gap["the best Gaussian for each x"] < gap["VAE, Gaussian q"]


@pytest.mark.full
@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_a_second_layer_raises_the_elbo_and_without_warm_up_empties_the_ladders_first(
    tmp_path, seed
):
    table = run(tmp_path, "hierarchical", "--seed", seed).table
    one = max(row[1] for name, row in table.items() if name.startswith("one layer"))
    assert table["ladder, warm-up"][1] > one + 1
    assert table["ladder, warm-up"][4] > 1  # nats of z2
    assert table["ladder"][3] < table["ladder, warm-up"][3]  # latents of z1 in use


@pytest.mark.full
@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_codewords_learned_in_training_beat_rounding_afterwards_of_the_same_network(tmp_path, seed):
    table = run(tmp_path, "vq_vae", "--seed", seed).table
    error = {name: row[0] for name, row in table.items()}
    vq = error["VQ-VAE, dead ones stay"]
    assert vq < 0.8 * error["autoencoder, 32 numbers"] < 0.8 * error["PCA, 8 numbers"]
    assert vq == pytest.approx(error["autoencoder, 8 numbers"], rel=0.05)  # neither wins
    assert error["VQ-VAE, dead ones moved"] > vq  # moving them costs more than they are worth
    assert table["VQ-VAE, dead ones moved"][-4] == 256 >= table["VQ-VAE, dead ones stay"][-4]
