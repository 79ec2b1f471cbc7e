"""A third set of wrong answers: code in another style than the solutions, and changes of it.

For each exercise a list of code that is right and replaces a part of a solution, and of the wrong
changes of it: the key of the diagnosis, the old text and the new one.
"""

THIRD = {
    "free_bits": [
        (
            """
def kl_per_dim(mu, log_var):
    var = np.exp(log_var)
    return 0.5 * (var + mu * mu - 1.0 - log_var)

def free_bits_kl(mu, log_var, floor):
    per_dim = kl_per_dim(mu, log_var).mean(axis=0)
    clipped = np.clip(per_dim, floor, None)
    return float(clipped.sum())
""",
            [
                ("minimum", ("floor, None", "None, floor")),
                ("floor_for_each_sample", (".mean(axis=0)\n", "\n"),
                 ("clipped.sum()", "clipped.mean(axis=0).sum()")),
                ("minimum", ("floor, None", "0, floor")),
                ("floor_for_total",
                 ("np.clip(per_dim, floor, None)", "np.clip(per_dim.sum(), floor, None)")),
                ("excess", ("np.clip(per_dim, floor, None)", "np.maximum(per_dim - floor, 0)")),
                ("zero_below",
                 ("np.clip(per_dim, floor, None)", "np.where(per_dim < floor, 0, per_dim)")),
                ("minimum",
                 ("np.clip(per_dim, floor, None)", "np.where(per_dim < floor, per_dim, floor)")),
                ("std_for_variance", ("np.exp(log_var)", "np.exp(0.5 * log_var)")),
                ("edit_kl_square_of_exp_log_var", ("(var +", "(var ** 2 +")),
                ("edit_kl_add_in_mu_power_2_plus_exp_log_var_minus_log_var",
                 ("- log_var)", "+ log_var)")),
                ("one_is_missing", (" - 1.0", "")),
                ("edit_kl_times_in_mu_power_2", ("mu * mu", "2 * mu")),
                ("half_is_missing", ("0.5 * (var", "(var")),
                ("floor_times_number", ("0.5 * (var", "-0.5 * (var")),
                ("floor_for_mean_over_latents", ("mean(axis=0)", "mean(axis=1)")),
                ("no_floor", ("mean(axis=0)", "mean()")),
                ("floor_after_sum_over_samples", ("mean(axis=0)", "sum(axis=0)")),
                ("floor_for_total_per_sample", (".mean(axis=0)\n", ".sum(axis=1)\n"),
                 ("clipped.sum()", "clipped.mean()")),
                ("mean_over_latents", ("clipped.sum()", "clipped.mean()")),
                ("largest_latent", ("clipped.sum()", "clipped.max()")),
                ("n_twice", ("clipped.sum()", "clipped.sum() / len(mu)")),
                ("excess", ("clipped.sum()", "(clipped - floor).sum()")),
                ("floor_added_below",
                 ("clipped.sum()", "per_dim.sum() + floor * (per_dim < floor).sum()")),
                ("not_summed_over_latents", ("float(clipped.sum())", "clipped")),
                ("result_in_bits", ("float(clipped.sum())", "float(clipped.sum()) / np.log(2)")),
                ("floor_after_sum_over_samples", ("floor, None", "floor / len(mu), None")),
                ("first_latent", ("mean(axis=0)\n", "mean(axis=0)[0]\n")),
            ],
        ),
        (
            """
def free_bits_kl_backward(mu, log_var, floor):
    var = np.exp(log_var)
    per_dim = np.mean(0.5 * (var + mu * mu - 1.0 - log_var), axis=0)
    gate = (per_dim > floor).astype(float)
    n = mu.shape[0]
    dmu = gate[None, :] * mu / n
    dlog_var = gate[None, :] * 0.5 * (var - 1.0) / n
    return dmu, dlog_var
""",
            [
                ("mask_wrong_way", ("per_dim > floor", "per_dim < floor")),
                ("no_floor", ("dlog_var = gate[None, :] * 0.5", "dlog_var = 0.5")),
                ("no_floor", ("dmu = gate[None, :] * mu", "dmu = mu")),
                ("mask_wrong_way", ("dmu = gate[None, :] *", "dmu = (1 - gate[None, :]) *")),
                ("mask_is_the_excess", ("(per_dim > floor).astype(float)", "(per_dim - floor)")),
                ("mask_is_the_larger",
                 ("(per_dim > floor).astype(float)", "np.maximum(per_dim, floor)")),
                ("mask_of_mu_only",
                 ("0.5 * (var + mu * mu - 1.0 - log_var), axis", "0.5 * mu * mu, axis")),
                ("mask_of_sum_over_samples", ("np.mean(0.5", "np.sum(0.5")),
                ("mask_of_largest_sample", ("np.mean(0.5", "np.max(0.5")),
                ("mask_without_half", ("np.mean(0.5 * (", "np.mean((")),
                ("divided_by_all", ("mu.shape[0]", "mu.size")),
                ("n_and_d_exchanged", ("mu.shape[0]", "mu.shape[1]")),
                ("n_is_missing", ("mu.shape[0]", "1")),
                ("divided_by_number_counted", ("mu.shape[0]", "gate.sum()")),
                ("edit_dlog_var_add_in_exp_log_var_minus_1",
                 ("(var - 1.0) / n", "(var + 1.0) / n")),
                ("gradient_for_variance", ("0.5 * (var - 1.0)", "0.5 * (1.0 - 1 / var)")),
                ("one_is_missing", ("(var - 1.0) / n", "var / n")),
                ("gradient_minus", ("* 0.5 *", "* -0.5 *")),
                ("gradient_halved", ("* 0.5 *", "* 0.25 *")),
                ("n_twice", ("mu / n\n", "mu / n ** 2\n")),
                ("one_number", ("mu / n\n", "mu.mean(0) * np.ones_like(mu) / n\n")),
                ("other_added", ("return dmu, dlog_var", "return dmu + dlog_var, dlog_var")),
                ("exchanged", ("return dmu, dlog_var", "return dlog_var, dmu")),
                ("mask_is_a_sign", (".astype(float)", " * 2.0 - 1")),
            ],
        ),
    ],
    "importance_weighted": [
        (
            """
def iwae_loss(log_w):
    k = log_w.shape[0]
    biggest = np.amax(log_w, axis=0, keepdims=True)
    scaled = np.exp(log_w - biggest)
    per_sample = np.log(np.sum(scaled, axis=0)) + biggest.squeeze(0) - np.log(k)
    return -per_sample.mean()
""",
            [
                ("sum_over_draws", (" - np.log(k)", "")),
                ("k_is_not_logged", (" - np.log(k)", " - k")),
                ("edit_average_mean_in_sum_w_axis_0", (" - np.log(k)", " - 2 * np.log(k)")),
                ("log_of_n", ("log_w.shape[0]", "log_w.shape[1]")),
                ("edit_bound_over_n_average", ("log_w.shape[0]", "log_w.size")),
                ("edit_average_mean_in_sum_w_axis_0", ("np.sum(scaled", "np.mean(scaled")),
                ("edit_average_max_in_sum_w_axis_0", ("np.sum(scaled", "np.max(scaled")),
                ("maximum_not_added", (" + biggest.squeeze(0)", "")),
                ("maximum_not_subtracted",
                 (" + biggest.squeeze(0)", " + 2 * biggest.squeeze(0)")),
                ("edit_w_half_top", ("log_w - biggest", "log_w - biggest * 0.5")),
                ("edit_loss_before_exp_sum_exp_log_w_minus_max_log_w_axis_0_axis_0",
                 ("np.log(np.sum(scaled, axis=0))", "np.sum(np.log(scaled), axis=0)")),
                ("elbo", ("np.log(np.sum(scaled, axis=0))", "np.mean(np.log(scaled), axis=0)")),
                ("median_sample", ("per_sample.mean()", "np.median(per_sample)")),
                ("sum_over_samples", ("per_sample.mean()", "per_sample.sum()")),
                ("best_sample", ("per_sample.mean()", "per_sample.max()")),
                ("log_of_mean_of_all",
                 ("-per_sample.mean()", "-np.log(np.mean(np.exp(per_sample)))")),
                ("no_minus", ("-per_sample.mean()", "per_sample.mean()")),
                ("absolute_bound", ("-per_sample.mean()", "abs(per_sample.mean())")),
                ("edit_loss_exp_of_sum_bound_over_n",
                 ("-per_sample.mean()", "-np.exp(per_sample.mean())")),
                ("divided_by_k_too", ("-per_sample.mean()", "-per_sample.mean() / k")),
                ("edit_loss_times_k_in_sum_bound",
                 ("-per_sample.mean()", "-k * per_sample.mean()")),
                ("edit_loss_std_in_sum_bound", ("-per_sample.mean()", "-per_sample.std()")),
                ("log_of_k_minus_one", ("np.log(k)", "np.log(k - 1)")),
                ("over_samples_by_k", ("np.amax(log_w, axis=0,", "np.amax(log_w, axis=1,"),
                 ("np.sum(scaled, axis=0)", "np.sum(scaled, axis=1)"),
                 ("squeeze(0)", "squeeze(1)")),
                ("edit_average_sqrt_of_w",
                 ("np.exp(log_w - biggest)", "np.exp(0.5 * (log_w - biggest))")),
                ("edit_average_but_last_sum_w_axis_0",
                 ("log_w - biggest", "log_w[:-1] - biggest")),
                ("edit_average_first_in_sum_w_axis_0", ("np.sum(scaled, axis=0)", "scaled[0]")),
                ("edit_bound_log10_in_log_total", ("np.log(np.sum", "np.log10(np.sum")),
            ],
        ),
        (
            """
def iwae_loss_backward(log_w):
    k, n = log_w.shape
    norm = np.logaddexp.reduce(log_w, axis=0)
    share = np.exp(log_w - norm)
    return -share / n
""",
            [
                ("over_samples", ("axis=0)", "axis=1)[:, None]")),
                ("divided_by_mean", ("axis=0)", "axis=0) - np.log(k)")),
                ("over_all",
                 ("np.logaddexp.reduce(log_w, axis=0)", "np.logaddexp.reduce(log_w.ravel())")),
                ("not_normalised_shifted",
                 ("np.logaddexp.reduce(log_w, axis=0)", "log_w.max(axis=0)")),
                ("not_normalised_by_mean",
                 ("np.logaddexp.reduce(log_w, axis=0)", "log_w.mean(axis=0)")),
                ("n_and_d_exchanged", ("-share / n", "-share / k")),
                ("divided_by_all", ("-share / n", "-share / (k * n)")),
                ("n_is_missing", ("-share / n", "-share")),
                ("gradient_minus", ("-share / n", "share / n")),
                ("times_log_w", ("-share / n", "-share * log_w / n")),
                ("mean_is_subtracted", ("-share / n", "(1 / k - share) / n")),
                ("softmax_slope", ("-share / n", "-share * (1 - share) / n")),
                ("shares_squared", ("-share / n", "-share ** 2 / n")),
                ("edit_dlog_w_sqrt_of_share", ("-share / n", "-np.sqrt(share) / n")),
                ("elbo", ("-share / n", "-np.full((k, n), 1 / k) / n")),
                ("log_of_share", ("-share / n", "-(log_w - norm) / n")),
                ("summed", ("-share / n", "-share.sum(axis=0) / n")),
                ("not_normalised", ("log_w - norm", "np.clip(log_w, -50, 50)")),
                ("edit_share_exchanged_w_over_sum_w_axis_0",
                 ("log_w - norm", "np.clip(norm - log_w, -600, 600)")),
                ("mean_is_subtracted", ("-share / n", "-(share - share.mean(axis=0)) / n")),
                ("scaled", ("-share / n", "-share / (n - 1)")),
                ("scaled", ("-share / n", "-share / (n + 1)")),
                ("divided_by_mean", ("-share / n", "-share * k / n")),
                ("last_missing", ("return -share / n", "share[-1] = 0\n    return -share / n")),
                ("running_sum", ("-share / n", "-np.cumsum(share, axis=0) / n")),
                ("divided_by_bound", ("-share / n", "-share / (norm - np.log(k)) / n")),
            ],
        ),
    ],
    "minibatch_loop": [
        (
            """
def batches(X, size, rng):
    order = rng.permutation(len(X))
    n_batches = int(np.ceil(len(X) / size))
    result = []
    for b in range(n_batches):
        rows = order[b * size:(b + 1) * size]
        result.append(X[rows])
    return result
""",
            [
                ("last_batch_dropped", ("int(np.ceil(len(X) / size))", "len(X) // size")),
                ("empty_batch", ("int(np.ceil(len(X) / size))", "len(X) // size + 1")),
                ("first_batch_dropped", ("range(n_batches)", "range(1, n_batches)")),
                ("rows_missing", ("range(n_batches)", "range(1, n_batches + 1)")),
                ("starts_one_row_apart", ("order[b * size:(b + 1) * size]", "order[b:b + size]")),
                ("rows_missing", ("(b + 1) * size]", "b + size]")),
                ("batches_reach_to_the_end", ("b * size:(b + 1) * size", "b * size:")),
                ("batches_grow", ("b * size:(b + 1) * size", ":(b + 1) * size")),
                ("batch_is_one_short", ("(b + 1) * size]", "(b + 1) * size - 1]")),
                ("batch_is_one_longer", ("(b + 1) * size]", "(b + 1) * size + 1]")),
                ("no_shuffle", ("X[rows]", "X[b * size:(b + 1) * size]")),
                ("with_replacement",
                 ("        rows", "        order = rng.permutation(len(X))\n        rows")),
                ("with_replacement",
                 ("order[b * size:(b + 1) * size]", "rng.choice(len(X), size)")),
                ("size_is_number_of_batches", ("int(np.ceil(len(X) / size))", "size"),
                 ("b * size:(b + 1) * size", "b * (len(X) // size):(b + 1) * (len(X) // size)")),
                ("sizes_equalised", ("order[b * size:(b + 1) * size]", "order[b::n_batches]")),
                ("size_is_number_of_batches", ("range(n_batches)", "range(size)"),
                 ("order[b * size:(b + 1) * size]", "order[b::size]")),
                ("no_shuffle", ("rng.permutation(len(X))", "np.argsort(X[:, 0])")),
                ("with_replacement",
                 ("rng.permutation(len(X))", "(rng.random(len(X)) * len(X)).astype(int)")),
                ("same_order_each_time",
                 ("rng.permutation(len(X))", "np.random.RandomState(1).permutation(len(X))")),
                ("numbers_of_rows", ("result.append(X[rows])", "result.append(rows)")),
                ("one_row_each", ("result.append(X[rows])", "result.extend(X[rows])")),
                ("features_shuffled", ("X[rows]", "X[rows][:, ::-1]")),
                ("values_changed", ("X[rows]", "X[rows] / np.linalg.norm(X[rows])")),
                ("values_changed",
                 ("X[rows]", "np.vstack([X[rows], np.zeros((size - len(rows), X.shape[1]))])")),
                ("each_batch_twice", ("result.append(X[rows])", "result += [X[rows], X[rows]]")),
                ("one_row_missing", ("rng.permutation(len(X))", "rng.permutation(len(X))[1:]")),
                ("one_row_missing", ("rng.permutation(len(X))", "rng.permutation(len(X) - 1)")),
                ("not_numbers", ("result.append(X[rows])", "result.append((X[rows], rows))")),
                ("not_a_list", ("return result", "return dict(enumerate(result))")),
                ("small_batch_not_last", ("return result", "return sorted(result, key=len)")),
                ("small_batch_not_last",
                 ("order = rng.permutation(len(X))", "order = np.arange(len(X))"),
                 ("return result", "rng.shuffle(result)\n    return result")),
            ],
        ),
        (
            """
def fit(step, X, epochs, size, rng):
    losses = np.zeros(epochs)
    for e in range(epochs):
        seen = 0
        for batch in batches(X, size, rng):
            m = len(batch)
            loss = step(batch)
            losses[e] += loss * m
            seen += m
        losses[e] /= seen
    return list(losses)
""",
            [
                ("reset_for_each_batch", ("losses[e] += loss * m", "losses[e] = loss * m")),
                ("sum_divided_by_n", ("loss * m", "loss")),
                ("sum_over_samples", ("        losses[e] /= seen\n", "")),
                ("divided_in_loop_by_rows",
                 ("        losses[e] /= seen\n", "            losses[e] /= seen\n")),
                ("divided_by_last_rows", ("/= seen", "/= m")),
                ("divided_by_size", ("/= seen", "/= size")),
                ("divided_by_epochs", ("/= seen", "/= epochs")),
                ("divided_by_all_entries", ("/= seen", "/= X.size")),
                ("divided_by_columns", ("/= seen", "/= X.shape[1]")),
                ("count_not_reset", ("        seen = 0\n", ""),
                 ("    losses = np", "    seen = 0\n    losses = np")),
                ("written_to_one_entry", ("losses[e] +=", "losses[0] +="),
                 ("losses[e] /=", "losses[0] /=")),
                ("moved", ("losses[e] +=", "losses[e - 1] +="),
                 ("losses[e] /=", "losses[e - 1] /=")),
                ("one_epoch_less", ("range(epochs):", "range(epochs - 1):")),
                ("one_loss_more", ("np.zeros(epochs)", "np.zeros(epochs + 1)")),
                ("size_is_epochs", ("batches(X, size, rng)", "batches(X, epochs, rng)")),
                ("same_order_each_time",
                 ("batches(X, size, rng)", "batches(X, size, np.random.default_rng(5))")),
                ("step_called_twice", ("loss = step(batch)", "step(batch); loss = step(batch)")),
                ("full_batch", ("loss = step(batch)", "loss = step(X)")),
                ("batch_shape", ("step(batch)", "step(batch.T)")),
                ("rows_missing", ("step(batch)", "step(batch[:1])")),
                ("last_batch_dropped",
                 ("in batches(X, size, rng)", "in batches(X, size, rng)[:-1]")),
                ("first_batch_dropped",
                 ("in batches(X, size, rng)", "in batches(X, size, rng)[1:]")),
                ("one_number_for_all_epochs", ("list(losses)", "sum(losses)")),
                ("edit_loss_sqrt_of_total_over_n", ("/= seen", "= np.sqrt(losses[e] / seen)")),
                ("rounded", ("list(losses)", "[round(x, 2) for x in losses]")),
                ("more_beside", ("list(losses)", "list(enumerate(losses))")),
                ("reversed", ("list(losses)", "list(losses[::-1])")),
                ("differences", ("list(losses)", "list(np.diff(losses))")),
                ("not_numbers", ("list(losses)", "dict(enumerate(losses))")),
                ("edit_total_times_rows_in_sum_losses_times_rows_axis_1",
                 ("loss * m", "loss * m ** 2")),
                ("divided_by_rows_and_n", ("loss * m", "loss / m")),
            ],
        ),
    ],
    "dense_forward": [
        (
            """
def dense_forward(x, W, b):
    return np.dot(x, W) + b[None, :]
""",
            [
                ("no_b", (" + b[None, :]", "")),
                ("minus_b", ("+ b", "- b")),
                ("b_averaged", ("b[None, :]", "b.mean()")),
                ("relu_inside",
                 ("np.dot(x, W) + b[None, :]", "np.maximum(np.dot(x, W) + b[None, :], 0)")),
                ("b_n_times", ("b[None, :]", "b[None, :] * len(x)")),
                ("w_squared", ("np.dot(x, W)", "np.dot(x, W ** 2)")),
                ("edit_out_bracket_right_x_w_plus_b",
                 ("np.dot(x, W) + b[None, :]", "np.dot(x, W + b[None, :])")),
            ],
        ),
    ],
    "dense_backward": [
        (
            """
def dense_backward(dout, x, W):
    dx = np.dot(dout, W.T)
    dW = np.dot(x.T, dout)
    db = np.sum(dout, axis=0)
    return dx, dW, db
""",
            [
                ("db_is_mean", ("np.sum(dout, axis=0)", "np.mean(dout, axis=0)")),
                ("dw_is_mean", ("np.dot(x.T, dout)", "np.dot(x.T, dout) / len(x)")),
                ("edit_dx_add_x_dout_w_t", ("np.dot(dout, W.T)", "np.dot(dout, W.T) + x")),
                ("transposed", ("np.dot(x.T, dout)", "np.dot(dout.T, x)")),
                ("scaled", ("np.sum(dout, axis=0)", "np.sum(dout, axis=0) * x.mean()")),
                ("edit_db_but_last_sum_dout_axis_0",
                 ("np.sum(dout, axis=0)", "dout[:-1].sum(axis=0)")),
                ("order", ("return dx, dW, db", "return dW, db, dx")),
            ],
        ),
    ],
    "squared_error": [
        (
            """
def squared_error(out, target):
    n = len(out)
    total = 0.0
    for i in range(n):
        total += np.sum((out[i] - target[i]) ** 2)
    return total / n
""",
            [
                ("edit_loss_but_last_sum_out_minus_target_power_2", ("range(n)", "range(n - 1)")),
                ("edit_loss_last_in_sum_each", ("total +=", "total =")),
                ("absolute_differences",
                 ("(out[i] - target[i]) ** 2", "np.abs(out[i] - target[i])")),
                ("cubed", ("** 2)", "** 3)")),
                ("plus_for_minus", ("out[i] - target[i]", "out[i] + target[i]")),
                ("halved", ("total / n", "total / (2 * n)")),
                ("edit_each_max_in_sum_out_minus_target_power_2_axis_1",
                 ("np.sum((", "np.max((")),
                ("sum_over_samples", ("total / n", "total")),
                ("n_minus_one", ("total / n", "total / (n - 1)")),
            ],
        ),
        (
            """
def squared_error_backward(out, target):
    return (out - target) * (2.0 / out.shape[0])
""",
            [
                ("n_and_d_exchanged", ("shape[0]", "shape[1]")),
                ("divided_by_all", ("out.shape[0]", "out.size")),
                ("gradient_halved", ("2.0 /", "1.0 /")),
                ("gradient_minus", ("out - target", "target - out")),
                ("absolute_differences", ("(out - target)", "np.abs(out - target)")),
                ("square_is_there", ("(out - target)", "(out - target) ** 2")),
                ("edit_dout_sign_of_out_minus_target",
                 ("(out - target)", "np.sign(out - target)")),
                ("target_is_missing", ("(out - target)", "out")),
            ],
        ),
    ],
    "bernoulli_nll": [
        (
            """
def bernoulli_nll(logits, target):
    s = np.logaddexp(0, logits)
    return np.mean(np.sum(s - logits * target, axis=1))
""",
            [
                ("minus_product", ("s - logits", "s + logits")),
                ("mean_over_features",
                 ("np.sum(s - logits * target, axis=1)", "s - logits * target")),
                ("sum_and_mean_exchanged", ("axis=1", "axis=0")),
                ("target_inverted", ("logits * target", "logits * (1 - target)")),
                ("edit_loss_minus_logits", ("logaddexp(0, logits)", "logaddexp(0, -logits)")),
                ("logits_in_one_term", ("logits * target", "target")),
                ("sum_over_samples", ("np.mean(", "np.sum(")),
                ("rest_is_missing", ("np.logaddexp(0, logits)", "np.maximum(0, logits)")),
                ("minus", ("return np.mean", "return -np.mean")),
            ],
        ),
        (
            """
def bernoulli_nll_backward(logits, target):
    e = np.exp(-np.abs(logits))
    p = np.where(logits >= 0, 1 / (1 + e), e / (1 + e))
    return (p - target) / logits.shape[0]
""",
            [
                ("gradient_minus", ("(p - target)", "(target - p)")),
                ("n_is_missing", (" / logits.shape[0]", "")),
                ("divided_by_all", ("logits.shape[0]", "logits.size")),
                ("tanh_for_sigmoid",
                 ("p = np.where(logits >= 0, 1 / (1 + e), e / (1 + e))", "p = np.tanh(logits)")),
                ("slope_of_sigmoid_twice", ("(p - target)", "(p - target) * p * (1 - p)")),
                ("sign_of_logits", ("logits >= 0", "logits < 0")),
                ("sign_of_logits", ("(p - target)", "(1 - p - target)")),
                ("edit_dlogits_round_of_p", ("(p - target)", "(np.round(p) - target)")),
                ("sigmoid_is_missing", ("(p - target)", "(logits - target)")),
                ("edit_p_abs_of_logits",
                 ("1 / (1 + e), e / (1 + e)", "1 / (1 + e), 1 / (1 + e)")),
            ],
        ),
    ],
    "kl_value": [
        (
            """
def gaussian_kl(mu, log_var):
    n, d = mu.shape
    std = np.exp(log_var / 2)
    return np.sum(-np.log(std) + (std ** 2 + mu ** 2) / 2 - 0.5) / n
""",
            [
                ("twice_log_var", ("-np.log(std)", "-log_var")),
                ("std_for_variance", ("(std ** 2 + mu", "(std + mu")),
                ("no_one", (" - 0.5)", ")")),
                ("twice_one", ("- 0.5)", "- 1)")),
                ("reverse_kl", ("(std ** 2 + mu ** 2) / 2", "(1 + mu ** 2) / (2 * std ** 2)"),
                 ("-np.log(std)", "np.log(std)")),
                ("mu_absolute", ("mu ** 2", "np.abs(mu)")),
                ("sum_and_mean_exchanged", ("/ n", "/ d")),
                ("sum_over_samples", (" / n", "")),
                ("edit_kl_mean_in_sum_mu_power_2_plus_exp_log_var_minus_log_var_minus_1",
                 ("np.sum(", "np.mean(")),
                ("minus_log_var", ("-np.log(std)", "np.log(std)")),
                ("edit_kl_twice_mu_power_2_plus_exp_log_var", (" / 2 - 0.5", " - 0.5")),
                ("twice_variance", ("(std ** 2 + mu ** 2) / 2", "std ** 2 + mu ** 2 / 2")),
            ],
        ),
    ],
    "kl_gradient": [
        (
            """
def gaussian_kl_backward(mu, log_var):
    n = mu.shape[0]
    return mu / n, 0.5 * np.expm1(log_var) / n
""",
            [
                ("no_one", ("np.expm1(log_var)", "np.exp(log_var)")),
                ("gradient_doubled", ("mu / n", "2 * mu / n")),
                ("gradient_doubled", ("0.5 * np", "np")),
                ("not_differentiated", ("mu / n", "mu ** 2 / 2 / n")),
                ("n_is_missing", ("mu / n,", "mu,")),
                ("gradient_minus", ("np.expm1(log_var)", "-np.expm1(log_var)")),
                ("std_for_variance", ("np.expm1(log_var)", "np.expm1(log_var / 2)")),
                ("variance_inverted", ("np.expm1(log_var)", "np.expm1(-log_var)")),
                ("summed", ("mu / n", "(mu / n).sum(axis=0)")),
            ],
        ),
    ],
    "reparameterise_forward": [
        (
            """
def reparameterise(h, eps):
    d = eps.shape[1]
    mu, s = h[:, :d], np.exp(0.5 * h[:, d:])
    return mu + s * eps
""",
            [
                ("halves_exchanged",
                 ("h[:, :d], np.exp(0.5 * h[:, d:])", "h[:, d:], np.exp(0.5 * h[:, :d])")),
                ("square_of_std", ("0.5 * ", "")),
                ("minus_noise", ("mu + s", "mu - s")),
                ("exp_is_missing", ("np.exp(0.5 * h[:, d:])", "0.5 * h[:, d:]")),
                ("mu_is_missing", ("mu + s", "s")),
                ("no_eps", ("s * eps", "s")),
                ("eps_times_all", ("mu + s * eps", "(mu + s) * eps")),
                ("abs_of_log_var", ("np.exp(0.5 * h[:, d:])", "np.abs(h[:, d:])")),
                ("even_and_odd",
                 ("h[:, :d], np.exp(0.5 * h[:, d:])", "h[:, ::2], np.exp(0.5 * h[:, 1::2])")),
                ("square_of_eps", ("s * eps", "s * eps ** 2")),
                ("eps_of_first_sample", ("s * eps", "s * eps[:1]")),
                ("edit_std_log1p_in_sqrt_exp_log_var",
                 ("np.exp(0.5 * h[:, d:])", "np.log1p(np.exp(h[:, d:]))")),
            ],
        ),
    ],
    "reparameterise_backward": [
        (
            """
def reparameterise_backward(dz, log_var, eps):
    s = np.exp(log_var / 2)
    ds = dz * eps
    return dz, ds * s / 2
""",
            [
                ("no_half", ("s / 2", "s")),
                ("no_std", ("ds * s / 2", "ds / 2")),
                ("no_eps", ("dz * eps", "dz")),
                ("square_of_std", ("ds * s / 2", "ds * s ** 2 / 2")),
                ("dmu_has_n", ("return dz,", "return dz / len(dz),")),
                ("dmu_has_eps", ("return dz,", "return ds,")),
                ("edit_dmu_add_eps_dz", ("return dz,", "return dz + eps,")),
                ("over_std", ("ds * s / 2", "ds / s / 2")),
                ("minus_path", ("ds * s / 2", "-ds * s / 2")),
                ("log_var_for_std", ("ds * s / 2", "ds * log_var / 2")),
            ],
        ),
    ],
    "activations_backward": [
        (
            """
def relu_backward(dout, x):
    g = dout.copy()
    g[x <= 0] = 0
    return g
""",
            [
                ("mask_inverted", ("x <= 0", "x > 0")),
                ("one_below_0", ("= 0\n", "= 1\n")),
                ("mask_of_dout", ("x <= 0", "dout <= 0")),
                ("leaky_0_01", ("g[x <= 0] = 0", "g[x <= 0] *= 0.01")),
                ("absolute", ("return g", "return np.abs(g)")),
                ("times_relu", ("return g", "return g * x")),
            ],
        ),
        (
            """
def tanh_backward(dout, out):
    return dout * (1 + out) * (1 - out)
""",
            [
                ("square_outside", ("(1 + out)", "(1 - out)")),
                ("slope_of_sigmoid", ("(1 + out)", "out")),
                ("edit_dx_no_1_minus_out", (" * (1 - out)", "")),
                ("no_dout", ("dout * ", "")),
                ("tanh_twice", ("(1 + out) * (1 - out)", "(1 - np.tanh(out) ** 2)")),
                ("sign", ("(1 - out)", "(out - 1)")),
                ("edit_dx_div_in_dout_times_1_plus_out",
                 ("dout * (1 + out)", "dout / (1 + out)")),
            ],
        ),
        (
            """
def sigmoid_backward(dout, out):
    return dout * (out - out * out)
""",
            [
                ("no_out", ("(out - out * out)", "(1 - out)")),
                ("no_one_minus_out", ("(out - out * out)", "out")),
                ("slope_of_tanh", ("(out - out * out)", "(1 - out * out)")),
                ("one_plus_out", ("out - out", "out + out")),
                ("sign", ("out - out * out", "out * out - out")),
                ("sigmoid_twice",
                 ("(out - out * out)", "np.exp(-out) / (1 + np.exp(-out)) ** 2")),
                ("edit_dx_sqrt_of_out_times_1_minus_out",
                 ("(out - out * out)", "np.sqrt(out - out * out)")),
            ],
        ),
    ],
    "sigmoid_softplus": [
        (
            """
def sigmoid(x):
    z = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + z), z / (1 + z))
""",
            [
                ("falls", ("x >= 0", "x < 0")),
                ("edit_out_minus_z_over_1_plus_z", ("1 / (1 + z), z", "1 / (1 + z), -z")),
                ("abs_of_x", ("np.where(x >= 0, 1 / (1 + z), z / (1 + z))", "1 / (1 + z)")),
                ("edit_out_2_for_1", ("1 / (1 + z), ", "2 / (1 + z), ")),
                ("is_tanh", ("np.where(x >= 0, 1 / (1 + z), z / (1 + z))", "np.tanh(x)")),
                ("tanh_of_x_not_half",
                 ("np.where(x >= 0, 1 / (1 + z), z / (1 + z))", "0.5 * np.tanh(x) + 0.5")),
            ],
        ),
        (
            """
def softplus(x):
    return np.logaddexp(0.0, x)
""",
            [
                ("sign_of_x", ("0.0, x", "0.0, -x")),
                ("no_rest", ("np.logaddexp(0.0, x)", "np.maximum(x, 0)")),
                ("no_max", ("np.logaddexp(0.0, x)", "np.log1p(np.exp(-np.abs(x)))")),
                ("edit_out_exp_of_1", ("0.0, x", "1.0, x")),
                ("edit_out_square_of_exp_x", ("0.0, x", "0.0, 2 * x")),
            ],
        ),
    ],
    "adam": [
        (
            """
class Adam:
    def __init__(self, lr, beta1, beta2, eps):
        self.lr, self.b1, self.b2, self.eps = lr, beta1, beta2, eps
        self.t, self.m, self.v = 0, None, None

    def step(self, theta, dtheta):
        if self.m is None:
            self.m, self.v = np.zeros_like(theta), np.zeros_like(theta)
        self.t += 1
        self.m = self.m * self.b1 + dtheta * (1 - self.b1)
        self.v = self.v * self.b2 + dtheta * dtheta * (1 - self.b2)
        mh = self.m / (1 - self.b1 ** self.t)
        vh = self.v / (1 - self.b2 ** self.t)
        theta[:] = theta - self.lr * mh / (np.sqrt(vh) + self.eps)
""",
            [
                ("absolute_for_square", ("dtheta * dtheta * (1", "np.abs(dtheta) * (1")),
                ("edit_v_hat_square_of_1_minus_beta2_power_t",
                 ("np.sqrt(vh)", "np.sqrt(self.v) / (1 - self.b2 ** self.t)")),
                ("power_outside_for_m",
                 ("self.m / (1 - self.b1 ** self.t)", "self.m / (1 - self.b1) ** self.t")),
                ("no_root", ("mh / (np.sqrt(vh) + self.eps)", "mh / (vh + self.eps)")),
                ("m_is_sum", ("self.m * self.b1 + dtheta * (1 - self.b1)", "self.m + dtheta")),
                ("step_scaled", ("dtheta * (1 - self.b1)", "dtheta * (1 - self.b1) * self.b1")),
                ("edit_m_hat_add_eps_m_over_1_minus_beta1_power_t",
                 ("self.lr * mh /", "self.lr * (mh + self.eps) /")),
            ],
        ),
    ],
    "sgd_momentum": [
        (
            """
class SGD:
    def __init__(self, lr, momentum):
        self.lr, self.momentum, self.v = lr, momentum, None
    def step(self, theta, dtheta):
        if self.v is None:
            self.v = np.zeros_like(theta)
        self.v = self.momentum * self.v - self.lr * dtheta
        theta += self.v
""",
            [
                ("step_is_added", ("theta += self.v", "theta -= self.v")),
                ("step_is_added", ("- self.lr * dtheta", "+ self.lr * dtheta")),
                ("lr_twice", ("theta += self.v", "theta += self.lr * self.v")),
                ("lr_is_missing", ("self.lr * dtheta", "dtheta")),
                ("no_momentum", ("if self.v is None:", "if True:")),
                ("averaged", ("self.lr * dtheta", "(1 - self.momentum) * self.lr * dtheta")),
                ("starts_at_1_with_lr", ("np.zeros_like(theta)", "np.ones_like(theta)")),
                ("step_scaled", ("theta += self.v", "theta += self.v + self.momentum * self.v")),
            ],
        ),
    ],
    "attention_backward": [
        (
            """
def attention_backward(dout, q, k, v, mask=None):
    d = q.shape[-1]
    s = np.einsum("ntd,nsd->nts", q, k) / np.sqrt(d)
    if mask is not None:
        s = np.where(mask, s, -np.inf)
    p = softmax(s)
    dv = np.einsum("nts,nte->nse", p, dout)
    dp = np.einsum("nte,nse->nts", dout, v)
    ds = p * (dp - np.sum(dp * p, axis=-1, keepdims=True))
    dq = np.einsum("nts,nsd->ntd", ds, k) / np.sqrt(d)
    dk = np.einsum("nts,ntd->nsd", ds, q) / np.sqrt(d)
    return dq, dk, dv
""",
            [
                ("edit_dp_dv_for_v", ('"nte,nse->nts", dout, v)', '"nte,nse->nts", dout, dv)')),
                ("scale_twice", ("ds, k) / np.sqrt(d)", "ds, k) / d")),
                ("scale_is_missing", ("ds, q) / np.sqrt(d)", "ds, q)")),
                ("averaged", ("return dq, dk, dv", "return dq.mean(axis=0), dk, dv")),
                ("edit_dv_square_of_turn_p",
                 ('"nts,nte->nse", p, dout)', '"nts,nte->nse", p ** 2, dout)')),
                ("softmax_in_p_is_over_queries",
                 ("p = softmax(s)", "p = softmax(s.swapaxes(1, 2)).swapaxes(1, 2)")),
            ],
        ),
    ],
    "lstm_step_backward": [
        (
            """
def lstm_step_backward(dh_new, dc_new, x, h, c, W, U, i, f, o, g, c_new):
    t = np.tanh(c_new)
    dct = dc_new + dh_new * o * (1 - t ** 2)
    di = dct * g * i * (1 - i)
    df = dct * c * f * (1 - f)
    do = dh_new * t * o * (1 - o)
    dg = dct * i * (1 - g ** 2)
    dc = dct * f
    da = np.concatenate([di, df, do, dg], axis=1)
    return da @ W.T, da @ U.T, dc, x.T @ da, h.T @ da, da.sum(axis=0)
""",
            [
                ("edit_cell_mult_in_dc_new_plus_dh_new_times_o_times_1_minus_tanh_c_power_2",
                 ("dc_new + dh_new * o", "dc_new * dh_new * o")),
                ("slope_of_o_in_through",
                 ("dh_new * o * (1 - t ** 2)", "dh_new * o * (1 - o) * (1 - t ** 2)")),
                ("edit_dg_dh_new_for_cell", ("dct * i * (1 - g", "dh_new * i * (1 - g")),
                ("scaled", ("axis=1)\n    return", "axis=1) / len(x)\n    return")),
                ("edit_db_times_da_in_sum_da_axis_0",
                 ("da.sum(axis=0)", "(da ** 2).sum(axis=0)")),
                ("slope_g_is_that_of_sigmoid", ("(1 - g ** 2)", "(1 - g) * g")),
                ("edit_da_dh_new_for_do", ("dh_new * t * o", "dh_new * o")),
            ],
        ),
    ],
    "batchnorm": [
        (
            """
def batchnorm_backward(dout, x, gamma, eps):
    n = len(x)
    mu, var = x.mean(0), x.var(0)
    istd = 1 / np.sqrt(var + eps)
    xhat = (x - mu) * istd
    dgamma = (dout * xhat).sum(0)
    dbeta = dout.sum(0)
    dxhat = dout * gamma
    dvar = (dxhat * (x - mu) * -0.5 * istd ** 3).sum(0)
    dmu = -(dxhat * istd).sum(0)
    dx = dxhat * istd + dvar * 2 * (x - mu) / n + dmu / n
    return dx, dgamma, dbeta
""",
            [
                ("dgamma_has_factor_gamma",
                 ("dgamma = (dout * xhat)", "dgamma = (dout * xhat * gamma)")),
                ("term_mean_is_sum", ("dmu / n\n", "dmu\n")),
                ("no_path_of_variance", ("dvar * 2 * (x - mu) / n + dmu / n", "dmu / n")),
                ("one_path_divided_by_s_cubed", ("istd ** 3", "istd")),
                ("edit_dx_over_n_xhat_times_mean_dxhat_times_xhat_axis_0",
                 ("* istd ** 3).sum(0)", "* istd ** 3).mean(0)")),
                ("variance_doubled", ("dvar * 2", "dvar * 4")),
                ("gamma_squared", ("return dx,", "return dx * gamma,")),
                ("variance_sign", ("+ dvar", "- dvar")),
            ],
        ),
    ],
    "convolution": [
        (
            """
def conv2d_backward(dout, x, W):
    k = W.shape[0]
    n, h, w, _ = dout.shape
    dx, dW = np.zeros_like(x), np.zeros_like(W)
    for i in range(k):
        for j in range(k):
            patch = x[:, i:i + h, j:j + w]
            dW[i, j] = np.tensordot(patch, dout, axes=([0, 1, 2], [0, 1, 2]))
            dx[:, i:i + h, j:j + w] += dout @ W[i, j].T
    db = dout.sum(axis=(0, 1, 2))
    return dx, dW, db
""",
            [
                ("dx_is_mean_over_kernel",
                 ("+= dout @ W[i, j].T", "+= dout @ W[i, j].T / k ** 2")),
                ("edit_db_std_in_sum_dout_axis_0",
                 ("dout.sum(axis=(0, 1, 2))", "dout.std(axis=(0, 1, 2))")),
                ("dw_is_mean_over_pixels", ("[0, 1, 2]))", "[0, 1, 2])) / (h * w)")),
                ("dx_offsets_exchanged", ("W[i, j].T", "W[j, i].T")),
            ],
        ),
    ],
}  # fmt: skip
