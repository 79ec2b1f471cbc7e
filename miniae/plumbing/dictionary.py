"""What attributes and arguments of Keras, PyTorch and scikit-learn are called here.

`plumbing.foreign` looks them up; names of modules and losses are in `plumbing.glossary`. A value of
one word is the name here; any other is a sentence. In a table by class, the answer of the nearest
base class counts.
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
BIAS = "every layer has one, which starts at 0; its array is params['b']"
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
        **same("load_weights load_model", "load"),
        "to_json": "save(path) writes the arguments and the weights",
        **same("decision_function score_samples", "anomaly_score(X): larger is stranger"),
        **same("reconstruction_error reconstruction_errors", "anomaly_score"),
        "sample": "an Autoencoder has no prior to draw codes from; a VAE has",
        **same("generate generate_samples", "sample(n) of a VAE"),
        **same("reparameterize reparametrize reparameterise", "z = mu + eps * std is in the loss"),
        **same("embed get_embedding get_latent latent", "encode"),
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
        **same("anomaly_score anomaly_scores score", "decision_function"),
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
        **same("item detach numpy cpu cuda to data tolist mean clone", "it is a number already"),
        **same("requires_grad grad grad_fn", "model.backward() fills model.dtheta"),
    },
    "Optimizer": {
        "zero_grad": NO_ZERO,
        **same("apply_gradients minimize apply update_step", "step(theta, dtheta) changes theta"),
        **same("learning_rate learning_rate_ alpha", "lr"),
        "param_groups": "lr is an attribute, optimizer.lr = 1e-4",
        **same("state_dict load_state_dict", "state has the averages; fit(checkpoint=) saves them"),
        "iterations": "t",
        **same("clipnorm global_clipnorm", "clip_norm"),
        **same("beta_1 beta_2 beta1 beta2", "betas"),
        "epsilon": "eps",
    },
}  # fmt: skip

REGULARIZER = "Adam(weight_decay=) decays weights; Autoencoder(penalty=L1Penalty(w)) acts on codes"
SEED = same("random_state random_seed rng", "seed")
ARGUMENTS = {
    "Model": {
        **SEED,
        **same("encoding_dim code_dim code_size latent_size latent_dims latent_space_dim z_dim "
               "n_latent n_latents num_latents nz zdim bottleneck bottleneck_dim bottleneck_size "
               "n_components embedding_dim latent z_size n_hidden_code", "latent_dim"),
        **same("hidden_dim hidden_dims hidden_size hidden_sizes hidden_units hidden_layer_sizes "
               "hidden_layers h_dim intermediate_dim layers layer_sizes units dims encoder_layers",
               "it is hidden, a tuple of sizes, such as hidden=(128,)"),
        **same("input_shape input_size n_features in_features original_dim image_size img_size "
               "image_shape in_dim n_inputs input_dims", "input_dim"),
        **same("encoding_activation latent_activation bottleneck_activation", "code_activation"),
        **same("output_activation out_activation final_activation last_activation", OUTPUT),
        **same("hidden_activation act activation_fn activation_function", "activation"),
        **same("learning_rate lr learning_rate_init optimizer optimiser solver", OPTIMIZER),
        **same("epochs batch_size verbose shuffle early_stopping validation_split", FIT),
        **same("n_epochs num_epochs max_iter", "it is epochs, an argument of fit"),
        **same("callbacks callback", "it is callback, an argument of fit"),
        **same("dropout_rate dropout_p p_dropout", "dropout"),
        **same("noise noise_std noise_factor noise_level", "corruption=GaussianNoise(std) adds it"),
        **same("l1 l2 alpha regularizer activity_regularizer kernel_regularizer weight_decay "
               "sparsity sparsity_weight", REGULARIZER),
        **same("device gpu", DEVICE),
        **same("loss_fn loss_function criterion recon_loss reconstruction_loss likelihood", "loss"),
        **same("metrics", "the functions of miniae.metrics compute them"),
        **same("beta kl_weight kl_warmup free_bits prior", "it has no KL; a VAE has"),
        **same("init kernel_initializer weight_init",
               "layers of your own take it: encoder=Sequential(Dense(784, 32, init=\"he\"))"),
        **same("name", "a model has no name"),
        **same("use_bias bias", BIAS),
        **same("batch_norm batchnorm batch_normalization", "it is not here; see docs/11"),
        **same("tied_weights tie_weights tied", "it is not here"),
        "reduction": "a loss sums over features and takes the mean over samples",
        **same("inputs outputs", "Autoencoder(784, 32, encoder=..., decoder=...) takes networks"),
        **same("variational", "VAE(...) is a class of its own"),
        **same("channels filters conv", "conv_networks((28, 28), 32) builds two networks"),
    },
    "VAE": {
        **same("loss loss_fn loss_function criterion recon_loss reconstruction_loss "
               "reconstruction", "likelihood"),
        **same("kl_weight kld_weight kl_beta beta_kl kl_coef", "beta"),
        **same("corruption noise noise_std noise_factor noise_level",
               "an Autoencoder has it; for a VAE call fit(noisy, clean)"),
        **same("penalty", "an Autoencoder has it; here the KL acts on the code"),
        **same("code_activation latent_activation encoding_activation",
               "an Autoencoder has it; mu and log_var are linear"),
        **same("warmup anneal kl_anneal annealing_epochs warmup_epochs", "kl_warmup"),
        **same("sigma", "likelihood=GaussianNLL(sigma) has it"),
    },
    "ConditionalVAE": same("num_classes classes n_labels num_labels label_dim cond_dim",
                           "n_classes"),
    "ImportanceWeightedVAE": same("n_samples num_samples n_draws K n_importance_samples", "k"),
    "AnomalyDetector": {
        **same("estimator base_estimator autoencoder detector clf", "model"),
        **same("outlier_fraction outliers_fraction nu fraction anomaly_rate", "contamination"),
        **same("threshold quantile percentile", "contamination sets it, as a share of the rows"),
        **same("validation_split test_size", "holdout"),
        **same("random_state seed", "the model has a seed"),
        **same("epochs batch_size verbose", FIT),
    },
    "Dense": {
        **same("units out_features output_dim n_units size output_size", "n_out"),
        **same("in_features input_dim input_size input_shape", "n_in"),
    },
    "Layer": {
        **same("input_shape batch_input_shape", "the shape is that of x; leave it out"),
        **same("activation", ACTIVATION),
        **same("kernel_initializer weight_init initializer weight_initializer", "init"),
        **same("use_bias bias bias_initializer", BIAS),
        **same("kernel_regularizer bias_regularizer activity_regularizer", REGULARIZER),
        **same("random_state seed generator", "rng"),
        **same("name", "a layer has no name; its place in the network gives one"),
        **same("device", DEVICE),
        **same("trainable requires_grad", FREEZE),
        "inplace": "a layer returns a new array",
    },
    "Convolution": {
        **same("filters out_channels n_filters", "c_out"),
        **same("in_channels input_shape channels", "c_in"),
        "kernel_size": "kernel",
        "strides": "stride",
        **same("dilation dilation_rate groups", "it is not here; every window is dense"),
        "data_format": "images are (n, h, w, channels)",
        "pool_size": "a stride above 1 makes images smaller",
    },
    "Dropout": {
        **same("rate prob probability dropout drop_prob", "p"),
        "noise_shape": "every entry is dropped on its own",
    },
    "Reshape": same("target_shape shape newshape", "give the sizes, Reshape(7, 7, 8)"),
    "Sequential": same("layers", "give the layers, Sequential(Dense(784, 32), ReLU())"),
    "Corruption": {
        **same("rate prob probability amount ratio fraction level mask_ratio", "p"),
        **same("random_state random_seed seed rng", "the model draws it, from its seed"),
    },
    "GaussianNoise": same("stddev sigma scale noise_factor noise_std noise", "std"),
    "Penalty": {
        **same("l1 l2 alpha lam lambda_ lambd coef coefficient strength beta factor", "weight"),
        **same("target sparsity sparsity_target p target_activation sparsity_level", "rho"),
    },
    "Loss": {
        **same("reduction size_average", "a loss sums over features, mean over samples"),
        "from_logits": "out are logits, always",
        "pos_weight": "it is not here; write a loss of your own, see docs/11",
    },
    "GaussianNLL": same("std stddev scale noise_std", "sigma"),
    "Masked": same("mask", "NaN in the target marks the entries that are missing"),
    "Optimizer": {
        **same("learning_rate learning_rate_init eta step_size alpha rate", "lr"),
        **same("beta_1 beta1 beta_2 beta2 b1 b2", "it is betas, a pair, betas=(0.9, 0.999)"),
        **same("epsilon", "eps"),
        **same("clipnorm global_clipnorm max_grad_norm max_norm gradient_clip_val", "clip_norm"),
        **same("clipvalue clip_value", "clip_norm bounds the norm of the whole gradient"),
        **same("decay lr_decay", "lr may be a function of the step"),
        **same("l2 wd", "weight_decay"),
        **same("amsgrad dampening maximize centered", "it is not here"),
        **same("params parameters model", "step(model.theta, model.dtheta) takes the vectors"),
    },
    "Adam": same("momentum", "betas[0] is the momentum, betas=(0.9, 0.999)"),
}  # fmt: skip

SIZES = {"n_in", "n_out", "c_in", "c_out", "kernel"}  # integers, not the name of an activation

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
               "max_queue_size use_multiprocessing validation_batch_size metrics",
               "it is not here"),
        **same("device gpu", DEVICE),
        **same("x data inputs X_train x_train", "X"),
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
