"""What attributes and arguments of Keras, PyTorch and scikit-learn are called here.

`plumbing.foreign` looks them up. Arguments of constructors are in `plumbing.constructors`, names of
modules and losses in `plumbing.glossary`. A value of one word is the name here; any other is a
sentence. In a table by class, the answer of the nearest base class counts.
"""


def same(names, answer):
    """Return a dict that gives all these names, separated by spaces, one answer."""
    return dict.fromkeys(names.split(), answer)


VECTOR = (
    "all parameters are in theta, one vector, and their gradients in dtheta; named_params() yields "
    "them by name"
)
DEVICE = "NumPy computes on the processor, there is no other device"
MODE = "the mode is an argument, loss(x, training=True); evaluation is the default"
STEP = "a step is loss(x, training=True), backward(), optimizer.step(model.theta, model.dtheta)"
NO_ZERO = "backward assigns the gradients, so there is nothing to set to zero"
POSTERIOR = "posterior(X) returns mu and log_var"
OPTIMIZER = "fit(optimizer=Adam(lr=1e-3)) takes it"
FIT = "it is an argument of fit"
ACTIVATION = "an activation is a layer of its own, such as ReLU(), or none at all"
BIAS = "a layer has one, which starts at 0, in params['b']; Dense(784, 32, bias=False) has none"
FREEZE = "to keep weights fixed, wrap their layer or network: Frozen(layer), Frozen(model.encoder)"
OUTPUT = "the loss decides what the decoder outputs: logits for bce, which decode turns into data"

ATTRIBUTES = {
    "Parameterized": {
        **same("parameters state_dict get_weights weights trainable_weights variables", VECTOR),
        **same("trainable_variables named_parameters trainable_parameters", VECTOR),
        **same("set_weights load_state_dict", "assign the vector, theta = values, or load a file"),
        **same("to cuda cpu device", DEVICE),
        **same("float double half", "astype('float64') returns a copy; dtype= is an argument"),
        **same("train eval", MODE),
        "zero_grad": NO_ZERO,
        **same("trainable requires_grad requires_grad_ freeze unfreeze frozen", FREEZE),
        **same("modules children named_modules", "walk() yields all parts with their names"),
        "register_buffer": "buffers, a dict, is an argument of the base class",
        "count_params": "theta.size is the number of parameters",
    },
    "Model": {
        "compile": "the optimiser is an argument of fit, the loss of the constructor",
        "forward": "model(x) reconstructs; to train, call loss(x, training=True) and backward()",
        "call": "model(x) reconstructs",
        **same("layers get_layer", "the layers are in encoder.layers and decoder.layers"),
        "add": "the layers go into Sequential(...), given as encoder= and decoder=",
        "fit_predict": "fit(X).predict(X); AnomalyDetector(model) has fit_predict",
        "fit_generator": "fit takes a function that returns batches",
        **same("train_on_batch train_step training_step partial_fit", STEP),
        **same("test_on_batch test_step", "evaluate"),
        "predict_on_batch": "predict",
        **same("save_weights save_model", "save"),
        **same("load_weights load_model", "load(path) returns a new model: model = VAE.load(path)"),
        "to_json": "save(path) writes the arguments and the weights",
        **same("decision_function score_samples", "anomaly_score(X): larger is stranger"),
        **same("reconstruction_error reconstruction_errors", "anomaly_score"),
        "sample": "an Autoencoder has no prior to draw codes from; a VAE has",
        **same("generate generate_samples", "sample(n) of a VAE"),
        **same("reparameterize reparametrize reparameterise", "z = mu + eps * std is in the loss"),
        **same("embed get_embedding get_latent latent", "encode"),
        "set_output": "AutoencoderTransformer and VAETransformer have it",
        **same("loss_curve_ train_losses losses", "history['loss'] has a number per epoch"),
        "loss_": "history['loss'][-1] is the last one",
        **same("components_ coefs_", "the weights of a layer are in encoder.layers[i].params['W']"),
        "optim": "optimizer",
        **same("loss_function loss_fn criterion compute_loss elbo_loss", "loss"),
    },
    "AnomalyDetector": {
        "threshold": "threshold_",
        **same("decision_scores scores_ scores", "decision_scores_"),
        "labels": "labels_",
        **same("anomaly_score anomaly_scores", "decision_function"),
        **same("score roc_auc_score fit_predict_score evaluate auroc",
               "metrics.auroc(decision_function(X), labels) compares scores with labels"),
        **same("threshold_ labels_ decision_scores_ model_ holdout_scores_ false_alarm_rate_",
               "fit sets it"),
        "offset_": "threshold_ is that of decision_function",
        **same("classes_ _classes", "predict returns 0 (normal) and 1 (an anomaly)"),
        **same("predict_confidence confidence predict_rank", "predict_proba"),
        **same("explain explain_outlier feature_importances_ contributions", "feature_scores"),
        "transform": "the codes are model_.encode(X)",
    },
    "ModelTransformer": {
        "model_": "fit sets it",
        "encode": "transform",
        **same("decode decoder", "inverse_transform"),
        **same("predict reconstruct fit_predict", "inverse_transform(transform(X)) reconstructs X"),
        **same("history loss_curve_ losses", "model_.history['loss'] has a number per epoch"),
        **same("loss_ best_loss_ reconstruction_err_", "model_.history['loss'][-1] is the last"),
        "n_iter_": "len(model_.history['loss']) is the number of epochs",
        **same("components_ coefs_", "model_.encoder.layers[i].params['W'] are weights"),
        "partial_fit": "fit starts again each time; model_.fit(X) trains further",
        **same("save load sample posterior elbo log_likelihood anomaly_score impute evaluate "
               "summary encoder theta trace interpolate posterior_sample active_units "
               "kl_per_dimension score_samples",
               "the model inside, model_, has its methods after fit"),
    },
    "VAE": {
        **same("reparameterize reparametrize reparameterise reparameterization sample_z sampling",
               "z = mu + eps * std is in the loss; posterior_sample(X) draws z"),
        **same("mu log_var logvar z_mean z_log_var mean", POSTERIOR),
        **same("encode_mean get_mu encode_params encode_dist", POSTERIOR),
        **same("log_prob log_px log_evidence marginal_likelihood", "log_likelihood"),
        **same("ELBO lower_bound", "elbo"),
        **same("kl_loss kl_divergence kl", "kl_per_dimension(X) has the KL of each latent"),
    },
    "Adversarial": {
        **same("loss loss_fn criterion compute_loss", "losses(x) has one for each player"),
        **same("evaluate score", "no one number measures a game; terms has the losses of a batch"),
        **same("optimizer optim", "optimizers has one for each player; fit takes it"),
        **same("generator critic", "the networks are encoder, decoder and discriminator"),
        **same("generate generate_samples", "sample"),
        "compile": "the optimiser is an argument of fit",
        **same("train_on_batch train_step training_step",
               "a step is losses(x, training=True), backward(), and a step of each optimiser"),
        **same("save_weights save_model", "save"),
        **same("mu log_var logvar z_mean z_log_var mean", "a VAEGAN has posterior(X)"),
    },
    "Layer": {
        **same("weight kernel", "the weights are params['W'], their gradient is grads['W']"),
        "bias": "the bias is params['b'], its gradient is grads['b']",
        "activation": ACTIVATION,
        "call": "forward",
        **same("input_shape output_shape", "out_shape is the shape of the last out"),
    },
    "Dense": {
        **same("in_features input_dim", "n_in"),
        **same("out_features units output_dim", "n_out"),
    },
    "Normalization": {
        **same("weight gamma", "the scale is params['gamma'], its gradient is grads['gamma']"),
        **same("bias beta", "the shift is params['beta'], its gradient is grads['beta']"),
        **same("running_mean moving_mean", "it is buffers['running_mean'] of a BatchNorm"),
        **same("running_var moving_variance", "it is buffers['running_var'] of a BatchNorm"),
        **same("num_features normalized_shape", "n_features"),
        "epsilon": "eps",
    },
    "Recurrent": {
        **same("hidden_size units", "n_out"),
        **same("input_size", "n_in"),
        **same("weight kernel weight_ih_l0 weight_ih", "the weights of x are params['W']"),
        **same("recurrent_kernel weight_hh_l0 weight_hh", "the weights of h are params['U']"),
        **same("bias_ih_l0 bias_ih", "the bias is params['b'], its gradient is grads['b']"),
        **same("hidden hidden_state cell_state states h c", "state"),
        "reset_states": "each forward starts from zeros, unless it is given a state",
    },
    "Embedding": {
        **same("num_embeddings input_dim", "n_tokens"),
        **same("embedding_dim output_dim", "n_out"),
        **same("embeddings", "the vectors are the rows of params['W']"),
    },
    "MultiHeadAttention": {
        **same("embed_dim", "n_features"),
        **same("num_heads", "n_heads"),
        **same("in_proj_weight q_proj k_proj v_proj", "query, key and value are Dense layers"),
        **same("out_proj", "out"),
        **same("attn_weights attention_weights attention_scores", "weights"),
    },
    "Attention": same("attn_weights attention_weights attention_scores", "weights"),
    "Convolution": {
        "in_channels": "c_in",
        **same("out_channels filters", "c_out"),
        "kernel_size": "kernel",
        "strides": "stride",
    },
    "Dropout": {"rate": "p"},
    "Sequential": {
        **same("add append insert", "give all layers at once: Sequential(Dense(784, 32), ReLU())"),
        **same("compile fit evaluate",
               "it is a network; Autoencoder(784, 32, encoder=..., decoder=...) trains two"),
        **same("encode decode",
               "call it, network(x); encode and decode of the model work in data space"),
        "summary": "summary() is a method of a model",
    },
    "Loss": {
        "reduction": "a loss sums over features and takes the mean over samples",
        **same("compute call", "forward"),
    },
    "LossValue": {
        "backward": "a loss is a number; the model has the method, model.backward()",
        **same("item detach numpy cpu cuda to data tolist mean sum clone",
               "it is a number already"),
        **same("requires_grad grad grad_fn", "model.backward() fills model.dtheta"),
    },
    "Optimizer": {
        "zero_grad": NO_ZERO,
        **same("apply_gradients minimize apply update_step", "step(theta, dtheta) changes theta"),
        **same("learning_rate learning_rate_ alpha", "lr"),
        "param_groups": "lr is an attribute, optimizer.lr = 1e-4",
        **same("state_dict load_state_dict", "state has the averages; fit(checkpoint=) saves them"),
        "iterations": "t",
        **same("lr_scheduler scheduler", "lr may be a function of the step"),
        **same("clipnorm global_clipnorm", "clip_norm"),
        **same("beta_1 beta_2 beta1 beta2", "betas"),
        "epsilon": "eps",
    },
}  # fmt: skip

ROWS = "rows pass in groups of fixed size, which bounds the memory; leave it out"
QUIET = {
    **same("batch_size", ROWS),
    **same("verbose", "it prints nothing; leave it out"),
    **same("steps callbacks workers use_multiprocessing max_queue_size", "leave it out"),
    **same("x data inputs", "X"),
    "training": "outside of loss, evaluation is the mode",
}
METHODS = {
    "fit": {
        "callbacks": "callback",
        **same("lr learning_rate", "it is an argument of the optimiser, optimizer=Adam(lr=1e-3)"),
        **same("n_epochs num_epochs nb_epoch nb_epochs max_epochs n_epoch max_iter n_iter "
               "num_train_epochs", "epochs"),
        **same("batchsize bs batch nb_batch mini_batch_size", "batch_size"),
        **same("optimiser optim", "optimizer"),
        **same("patience early_stop", "early_stopping"),
        **same("val_data validation X_val x_val eval_set test_data", "validation_data"),
        **same("val_split validation_fraction validation_size test_size", "validation_split"),
        **same("loss criterion loss_fn likelihood beta latent_dim hidden activation seed",
               "it is an argument of the constructor"),
        **same("steps_per_epoch validation_steps initial_epoch validation_freq class_weight "
               "max_queue_size validation_batch_size metrics",
               "it is not here"),
        **same("use_multiprocessing num_workers n_jobs n_workers", "workers"),
        **same("device gpu", DEVICE),
        **same("x data inputs X_train x_train", "X"),
        **same("sample_weights weights", "it is called sample_weight"),
        **same("target targets x_target", "y"),
        **same("log_interval print_every progress_bar", "verbose"),
        "random_state": "seed is an argument of the constructor",
    },
    **{
        name: QUIET
        for name in (
            "encode", "decode", "transform", "inverse_transform", "predict", "reconstruct",
            "posterior", "elbo", "anomaly_score", "decision_function", "score",
        )
    },
    "evaluate": {
        **same("batch_size sample_weight_mode", ROWS),
        **same("steps callbacks workers use_multiprocessing max_queue_size", "leave it out"),
        **same("x data inputs", "X"),
    },
    "predict": QUIET | {"return_confidence": "predict_proba(X) has two numbers for each row"},
    "predict_proba": QUIET | same("method return_confidence", "there is one way; leave it out"),
    "log_likelihood": {**QUIET, **same("n_samples num_samples K n_draws samples", "k")},
    "sample": {
        **same("n_samples num_samples size count n_images num batch_size", "n"),
        **same("random_state rng generator random_seed", "seed"),
        **same("z latent code eps", "codes z are decoded by decode(z)"),
    },
    "impute": {
        **same("n_iter max_iter n_steps num_steps iterations", "steps"),
        **same("random_state rng", "seed"),
        **same("n_samples num_samples m", "n_draws"),
    },
    # These compute too, but have no names of other libraries.
    **same("active_units feature_scores fit_transform kl_per_dimension map_rows mean_terms "
           "posterior_sample predict_proba score_samples trace traverse", {}),
    "summary": same("line_length expand_nested show_trainable input_size", "leave it out"),
    "interpolate": same("n num n_steps num_steps", "steps"),
}  # fmt: skip
