"""Wrong answers: the old code of a solution, the new code, and the key of the diagnosis."""

from miniae.exercises import find

ORDER = "shuffled = rng.permutation(X)"
CUT = "[shuffled[i : i + size] for i in range(0, len(X), size)]"
FIT = """\
        for batch in batches(X, size, rng):
            total += len(batch) * step(batch)
        losses.append(total / len(X))
"""
MAX = "np.maximum(kl.mean(axis=0), floor).sum()"
DKL = "return counted * mu / len(mu), counted * (np.exp(log_var) - 1) / (2 * len(mu))"
MASK = "counted = kl.mean(axis=0) > floor"
BOUND = "bound = top + np.log(np.exp(log_w - top).mean(axis=0))"
SHARE = "return -w / w.sum(axis=0) / log_w.shape[1]"

KEYS = {
    "minibatch_loop": [
        (ORDER, "shuffled = X", "no_shuffle"),
        (ORDER, "shuffled = X[::-1]", "no_shuffle"),
        (ORDER, "shuffled = np.random.permutation(X)", "rng_not_used"),
        (ORDER, "shuffled = np.random.default_rng(0).permutation(X)", "same_order_each_time"),
        (ORDER, "shuffled = rng.permuted(X, axis=0)", "columns_shuffled"),
        (ORDER, "shuffled = rng.permuted(X)", "values_changed"),
        (ORDER, "shuffled = rng.choice(X, len(X))", "with_replacement"),
        (ORDER, "shuffled = X[rng.integers(0, len(X), len(X))]", "with_replacement"),
        (ORDER, "rng.shuffle(X)\n    shuffled = X", "argument_changed"),
        (CUT, "[shuffled[i : i + size] for i in range(0, len(X) - size, size)]",
         "last_batch_dropped"),
        (CUT, "[shuffled[i : i + size] for i in range(0, len(X) - size + 1, size)]",
         "last_batch_dropped"),
        (CUT, "np.array_split(shuffled, size)", "size_is_number_of_batches"),
        (CUT, "[shuffled[i : i + size] for i in range(len(X))]", "starts_one_row_apart"),
        (CUT, "[shuffled[i : i + size + 1] for i in range(0, len(X), size)]",
         "batch_is_one_longer"),
        (CUT, "[shuffled]", "one_batch"),
        (CUT, "[row[None] for row in shuffled]", "one_row_each"),
        (CUT, "[X[i * size : (i + 1) * size] for i in rng.permutation(-(-len(X) // size))]",
         "small_batch_not_last"),
        (CUT, "[rng.permutation(X[i : i + size]) for i in range(0, len(X), size)]",
         "shuffled_in_batches"),
        (FIT, FIT.replace("batches(X, size, rng)",
                          "[rng.permutation(X[i : i + size]) for i in range(0, len(X), size)]"),
         "same_batches_each_time"),
        (CUT, "[X[rng.choice(len(X), size, replace=False)] for _ in range(len(X) // size)]",
         "rows_overlap"),
        (CUT, "[shuffled[i : i + size] for i in range(0, len(X) + 1, size)]", "empty_batch"),
        (CUT, "np.array_split(shuffled, -(-len(X) // size))", "sizes_equalised"),
        ("total += len(batch) * step(batch)", "total += step(batch) / len(batch)",
         "divided_by_rows_and_n"),
        (CUT, "(shuffled[i : i + size] for i in range(0, len(X), size))", "not_a_list"),
        (FIT, "        total = np.mean([step(batch) for batch in batches(X, size, rng)])\n"
         "        losses.append(total)\n", "mean_of_batches"),
        ("total / len(X)", "total", "sum_over_samples"),
        ("len(batch) * step(batch)", "step(batch)", "sum_divided_by_n"),
        ("len(batch) * step(batch)", "size * step(batch)", "full_size_for_all"),
        ("total / len(X)", "total / size", "divided_by_size"),
        ("losses = []\n    for _ in range(epochs):\n        total = 0.0",
         "losses, total = [], 0.0\n    for _ in range(epochs):", "not_reset"),
        ("for batch in batches(X, size, rng):\n            total += len(batch) * step(batch)",
         "total = len(X) * step(X)", "full_batch"),
        (FIT, FIT.replace("total += len(batch)", "step(batch)\n            total += len(batch)"),
         "step_called_twice"),
        ("for _ in range(epochs):", "for _ in range(1):", "one_epoch"),
        ("range(epochs)", "range(epochs + 1)", "one_epoch_more"),
        ("range(epochs)", "range(1, epochs)", "one_epoch_less"),
        (FIT, FIT.replace("losses.append(total / len(X))", "    losses.append(step.__dict__.get("
         "'losses', [0])[-1])"), "loss_of_each_step"),
        (FIT, FIT.replace("total +=", "last = step(batch)\n            total += 0 *").replace(
            "step(batch)\n        losses", "last\n        losses").replace(
            "total / len(X)", "last"), "last_batch"),
        ("    return losses", "    return losses[-1]", "last_epoch_only"),
        ("    return losses", "    return np.mean(losses)", "mean_over_epochs"),
        ("for batch in batches(X, size, rng):",
         "for batch in batches(X, size, np.random.default_rng(0)):", "same_order_each_time"),
        (FIT, FIT.replace("losses.append(total / len(X))", "return [total / len(X)]"),
         "one_epoch"),
        ("    return losses", "    pass", "none"),
    ],
    "free_bits": [
        (MAX, "np.maximum(kl, floor).sum() / len(mu)", "floor_for_each_sample"),
        (MAX, "np.maximum(kl, floor).mean(axis=0).sum()", "floor_for_each_sample"),
        (MAX, "np.maximum(kl.mean(axis=0).sum(), floor)", "floor_for_total"),
        (MAX, "np.maximum(kl.sum(axis=1).mean(), mu.shape[1] * floor)", "floor_times_d_for_total"),
        (MAX, "np.maximum(kl.sum(axis=1), floor).mean()", "floor_for_total_per_sample"),
        (MAX, "np.minimum(kl.mean(axis=0), floor).sum()", "minimum"),
        (MAX, "kl.sum() / len(mu)", "no_floor"),
        (MAX, "kl.mean(axis=0).sum() + floor", "floor_is_added"),
        (MAX, "(kl.mean(axis=0) - floor).clip(0).sum()", "excess"),
        (MAX, "(kl.mean(axis=0) * (kl.mean(axis=0) > floor)).sum()", "zero_below"),
        (MAX, "np.maximum(kl.mean(axis=0), floor).mean()", "mean_over_latents"),
        (MAX, "np.maximum(kl.sum(axis=0), floor).sum()", "floor_after_sum_over_samples"),
        (MAX, "np.maximum(kl.sum(axis=0), floor).sum() / len(mu)", "floor_after_sum_over_samples"),
        (MAX, "np.maximum(kl.mean(axis=0), floor)", "not_summed_over_latents"),
        (f"- 1)\n    return {MAX}", f")\n    return {MAX}", "one_is_missing"),
        (MAX, "max(kl.mean(axis=0).max(), floor)", "largest_latent"),
        (MAX, "np.maximum(kl.mean(axis=0), floor / mu.shape[1]).sum()", "floor_divided_by_d"),
        (MASK, "counted = np.sign(kl.mean(axis=0) - floor)", "mask_is_a_sign"),
        (MASK, "counted = np.maximum(kl.mean(axis=0), floor)", "mask_is_the_larger"),
        (DKL, "return mu[:, counted] / len(mu), (np.exp(log_var) - 1)[:, counted] / (2 * len(mu))",
         "columns_left_out"),
        (MASK, "counted = kl.max(axis=0) > floor", "mask_of_largest_sample"),
        (MAX, "np.maximum(kl.max(axis=0), floor).sum()", "largest_sample"),
        (MASK, "counted = 1.0", "no_floor"),
        (MASK, "counted = kl.mean(axis=0) < floor", "mask_wrong_way"),
        (MASK, "counted = kl > floor", "mask_for_each_sample"),
        (MASK, "counted = kl.sum(axis=0) > floor", "mask_of_sum_over_samples"),
        (MASK, "counted = (kl.sum(axis=1) > floor)[:, None]", "mask_per_sample"),
        (DKL, "return counted * mu, counted * (np.exp(log_var) - 1) / 2", "n_is_missing"),
        (DKL, "return counted * mu / len(mu), counted * (np.exp(log_var) - 1) / len(mu)",
         "half_is_missing"),
        (DKL, "return counted * mu / len(mu), counted * np.exp(log_var) / (2 * len(mu))",
         "one_is_missing"),
        (DKL, "return mu / len(mu), counted * (np.exp(log_var) - 1) / (2 * len(mu))", "no_floor"),
        (DKL, "return counted * mu / len(mu), (np.exp(log_var) - 1) / (2 * len(mu))", "no_floor"),
        (DKL, "return counted * (np.exp(log_var) - 1) / (2 * len(mu)), counted * mu / len(mu)",
         "exchanged"),
        (DKL, "dmu, dlog_var = mu / len(mu), (np.exp(log_var) - 1) / (2 * len(mu))\n"
         "    return np.where(counted, dmu, floor), np.where(counted, dlog_var, floor)",
         "floor_below"),
    ],
    "importance_weighted": [
        (BOUND, "bound = log_w.mean(axis=0)", "elbo"),
        (BOUND, "bound = top + np.log(np.exp(log_w - top).sum(axis=0))", "sum_over_draws"),
        (BOUND, "bound = np.log(np.exp(log_w - top).mean(axis=0))", "maximum_not_added"),
        (BOUND, "bound = top", "best_draw"),
        (BOUND, "bound = log_w[0]", "first_draw"),
        (BOUND, "bound = np.exp(log_w).mean(axis=0)", "no_log"),
        (BOUND, "bound = np.log(np.exp(log_w).mean())", "log_of_mean_of_all"),
        (BOUND, "bound = np.log(np.exp(log_w).mean(axis=1))", "over_samples"),
        (BOUND, "bound = np.log(np.exp(log_w).mean(axis=0) + 1e-300)", "small_number_added"),
        (BOUND, "bound = np.log(np.exp(log_w).mean(axis=0))", "no_maximum"),
        (BOUND, "bound = np.log2(np.exp(log_w).mean(axis=0))", "bits"),
        (BOUND, "bound = top + np.log(np.exp(log_w - top).sum(axis=0)) / len(log_w)",
         "k_outside_log"),
        ("return -bound.mean()", "return bound.mean()", "no_minus"),
        ("return -bound.mean()", "return -bound.sum()", "sum_over_samples"),
        (BOUND, "bound = np.exp(log_w - top).mean(axis=0) + top", "no_log_but_maximum"),
        (BOUND, "bound = top - np.log(np.exp(log_w - top).mean(axis=0))", "maximum_has_wrong_sign"),
        ("return -bound.mean()", "return -bound.mean() / len(log_w)", "divided_by_k_too"),
        ("return -bound.mean()", "return -bound", "one_number_per_sample"),
        (SHARE, "return w / w.sum(axis=0) / log_w.shape[1]", "gradient_minus"),
        (SHARE, "return -w / w.sum(axis=0)", "n_is_missing"),
        (SHARE, "return -w / w.sum(axis=0) / log_w.size", "divided_by_all"),
        (SHARE, "return -w / w.sum(axis=0) / log_w.shape[0]", "n_and_d_exchanged"),
        (SHARE, "return np.full(log_w.shape, -1 / log_w.size)", "elbo"),
        (SHARE, "return -w / log_w.shape[1]", "not_normalised_shifted"),
        (SHARE, "return -w / w.mean(axis=0) / log_w.shape[1]", "divided_by_mean"),
        (SHARE, "return -((w / w.sum(axis=0)) ** 2) / log_w.shape[1]", "shares_squared"),
        (SHARE, "return -w / w.sum()", "over_all_shifted"),
        ("w = np.exp(log_w - log_w.max(axis=0))\n    return -w / w.sum(axis=0)",
         "w = np.exp(log_w)\n    return -w / w.sum(axis=0)", "no_maximum"),
        (f"log_w.max(axis=0))\n    {SHARE}", f"log_w.max())\n    {SHARE}", "one_maximum_for_all"),
        (f"log_w.max(axis=0))\n    {SHARE}",
         "log_w.max(axis=1, keepdims=True))\n"
         "    return -w / w.sum(axis=1, keepdims=True) / log_w.shape[1]", "over_samples"),
        (SHARE, "return -w * log_w / w.sum(axis=0) / log_w.shape[1]", "times_log_w"),
        (SHARE, "return -1.0 * (w == 1.0) / log_w.shape[1]", "best_draw"),
    ],
    "concepts": [
        ("return 6\n", "return 9\n", "stop_at_end"),
        ("return 6\n", "return 1\n", "stop_at_first_epoch"),
        ("return 6\n", "return 7\n", "stop_late"),
        ("return 256", "return 1", "beta_is_one"),
        ("return 256", "return 1 / 256", "beta_inverted"),
        ("return 188.944", "return 0.241", "loss_unchanged"),
        ("return 188.944", "return 0.241 * 28", "loss_of_side"),
        ("return 188.944", "return 272.6", "loss_in_bits"),
        ("return 0.1585", "return 112.5 / 1024", "bits_are_nats"),
        ("return 0.1585", "return 162.3", "bits_per_image"),
        ("return 0.1585", "return -0.1585", "sign"),
        ("return 0.1585", "return 3.7", "unknown"),
        ("return 2.4", "return -2.4", "gap_negative"),
        ("return 2.4", "return [2.4, 2.4]", "several_values"),
        ("return 2.4", "return 'b'", "not_numbers"),
        ("return 5\n", "return 11\n", "latent_all"),
        ("return 4\n", "return 5\n", "not_a_choice"),
        ('STUDENT = ""', "STUDENT = 5", "student_not_text"),
    ],
}  # fmt: skip


def words(id, key):
    """Return the sentence of a diagnosis, or "" if it has none in the exercise's own table."""
    return find(id).mistakes.get(key, "")


WRONG = {id: [(old, new, words(id, key)) for old, new, key in rows] for id, rows in KEYS.items()}
