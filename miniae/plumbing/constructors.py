"""What arguments of constructors are called here, by class. See `plumbing.dictionary`."""

from miniae.plumbing.dictionary import (
    ACTIVATION,
    BIAS,
    DEVICE,
    FIT,
    FREEZE,
    OPTIMIZER,
    OUTPUT,
    same,
)

REGULARIZER = "Adam(weight_decay=) decays weights; Autoencoder(penalty=L1Penalty(w)) acts on codes"
MASK = "a mask= of LSTM, GRU or attention leaves padding out: mask=tokens > 0"
ATTENTION_DROPOUT = "it is not here: put Dropout after the layer"
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
        **same("batch_norm batchnorm batch_normalization normalization layer_norm",
               "it is a layer: encoder=Sequential(Dense(784, 64), BatchNorm(64), ReLU(), ...)"),
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
        **same("code_activation latent_activation encoding_activation bottleneck_activation",
               "an Autoencoder has it; mu and log_var are linear"),
        **same("warmup anneal kl_anneal annealing_epochs warmup_epochs", "kl_warmup"),
        **same("sigma", "likelihood=GaussianNLL(sigma) has it"),
    },
    "ConditionalVAE": {
        **same("num_classes classes n_labels num_labels label_dim", "n_classes"),
        **same("cond_dim condition_dim context_dim n_context c_dim", "n_condition"),
    },
    "ImportanceWeightedVAE": same("n_samples num_samples n_draws K n_importance_samples", "k"),
    "AnomalyDetector": {
        **same("estimator base_estimator autoencoder detector clf", "model"),
        **same("outlier_fraction outliers_fraction nu fraction anomaly_rate", "contamination"),
        **same("threshold quantile percentile", "contamination sets it, as a share of the rows"),
        **same("validation_split test_size", "holdout"),
        **same("random_state seed", "the model has a seed"),
        **same("epochs batch_size verbose", FIT),
        **same("epoch_num n_epochs num_epochs max_iter", "it is epochs, an argument of fit"),
        **same("lr learning_rate optimizer optimizer_name", OPTIMIZER),
        **same("latent_dim hidden loss hidden_neurons hidden_neuron_list encoder_neurons "
               "decoder_neurons hidden_activation dropout dropout_rate batch_norm beta",
               "the model has it: AnomalyDetector(Autoencoder(64, 8)), or "
               "set_params(model__latent_dim=8)"),
        **same("preprocessing standardize scale",
               "the data are taken as they are; without a model, suggest decides"),
        **same("n_jobs n_estimators max_samples", "it is not here"),
    },
    "EarlyStopping": {
        "monitor": "it is the validation loss",
        "restore_best_weights": "the best weights are restored, always",
        **same("verbose mode baseline start_from_epoch", "it is not here; leave it out"),
        **same("delta tol threshold", "min_delta"),
    },
    "CSVLog": {
        **same("filename file log_dir save_dir", "path"),
        **same("append separator name", "the file has the whole history, with commas"),
    },
    "ReduceOnPlateau": {
        **same("min_lr", "lowest"),
        **same("threshold epsilon", "min_delta"),
        **same("gamma", "factor"),
        **same("verbose mode cooldown threshold_mode eps", "it is not here; leave it out"),
        "optimizer": "it changes the rate of model.optimizer, which fit uses",
    },
    "Dense": {
        **same("units out_features output_dim n_units size output_size", "n_out"),
        **same("in_features input_dim input_size input_shape", "n_in"),
        **same("use_bias", "bias"),
    },
    "Normalization": {
        **same("num_features normalized_shape dim features size", "n_features"),
        "axis": "it is the last one; n_features is its size",
        "epsilon": "eps",
        **same("affine elementwise_affine center scale", "it always has gamma and beta"),
        "track_running_stats": "it always has running statistics",
        **same("bias use_bias", "beta is the bias; the layer always has it"),
    },
    "LeakyReLU": same("negative_slope alpha", "slope"),
    "ELU": same("slope", "alpha"),
    "GELU": same("approximate", "it is always the form with tanh"),
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
        "data_format": "channels come last, always",
        "pool_size": "a stride above 1 makes images smaller",
    },
    "MaxPool2D": {
        **same("pool_size kernel_size kernel", "size"),
        **same("strides stride", "blocks do not overlap: the stride is size"),
        "ceil_mode": 'padding="same" keeps the blocks that are not complete',
    },
    "UpSample2D": {
        **same("scale_factor factor scale", "size"),
        **same("mode interpolation", "it repeats pixels, always (the nearest neighbour)"),
    },
    "Recurrent": {
        **same("units hidden_size hidden_dim out_features", "n_out"),
        **same("input_size input_dim in_features", "n_in"),
        **same("num_layers n_layers", "write one layer after the other; all but the last need "
               "return_sequences=True"),
        **same("dropout recurrent_dropout", "Dropout is a layer of its own"),
        "batch_first": "sequences are always (n, T, d)",
        "bidirectional": "Bidirectional(LSTM(...)) reads in both directions",
        **same("return_state stateful", "layer.state is the last state; forward(x, state=...) "
               "starts from one"),
        "go_backwards": "pass x[:, ::-1]; Bidirectional reads in both directions",
        "mask_zero": MASK,
        "reset_after": "it is True, always, as in Keras and PyTorch",
        **same("activation recurrent_activation", "the gates have sigmoids, the rest has tanh"),
        **same("use_bias bias", "it always has b"),
    },
    "Embedding": {
        **same("num_embeddings input_dim vocab_size num_tokens n_words", "n_tokens"),
        **same("embedding_dim output_dim dim embed_dim", "n_out"),
        **same("mask_zero padding_idx", MASK),
        **same("input_length max_len", "the length is that of x; leave it out"),
    },
    "TimeDistributed": same("n_steps n", "the number of steps is that of x; leave it out"),
    "Repeat": same("n n_times repeats steps length", "n_steps"),
    "Bidirectional": {
        "merge_mode": "the two directions are side by side, always",
        "backward_layer": "it is a copy of layer with weights of its own",
    },
    "Attention": {
        **same("scale use_scale", "scores are divided by sqrt(d), always"),
        **same("dropout dropout_p attn_dropout", ATTENTION_DROPOUT),
        **same("is_causal use_causal_mask", "causal"),
        **same("embed_dim d_model dim n_features", "it has no parameters, so no sizes; "
               "MultiHeadAttention(n_features, n_heads) has"),
    },
    "MultiHeadAttention": {
        **same("embed_dim d_model dim hidden_size", "n_features"),
        **same("num_heads nhead heads", "n_heads"),
        **same("kdim vdim memory_dim", "n_memory"),
        **same("key_dim value_dim", "each head has n_features / n_heads features"),
        **same("dropout dropout_p attn_dropout", ATTENTION_DROPOUT),
        **same("is_causal use_causal_mask", "causal"),
        "batch_first": "sequences are always (n, T, d)",
        **same("use_bias bias", "its four Dense layers always have b"),
    },
    "SequenceModel": {
        **same("vocab_size num_tokens n_words num_embeddings vocabulary_size", "n_tokens"),
        **same("max_len max_length maxlen sequence_length seq_len input_dim", "length"),
        **same("embed_dim embedding_size embedding", "embedding_dim"),
        **same("dropout dropout_rate word_drop", "word_dropout"),
        **same("encoder decoder activation likelihood loss",
               "the networks are LSTMs, and the loss is that of tokens"),
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

TRANSFORMER = {  # the estimators take the size from the data and have fit's arguments
    **ARGUMENTS["Model"],
    **same("learning_rate learning_rate_init", "lr"),
    **same("n_epochs num_epochs max_iter n_iter epoch", "epochs"),
    **same("optimizer optimiser solver", "it is Adam, with the learning rate lr"),
    **same("input_dim " + " ".join(n for n, a in ARGUMENTS["Model"].items() if a == "input_dim"),
           "the data of fit have it; leave it out"),
    **same("encoder decoder", "Autoencoder and VAE take networks of your own"),
    **same("patience n_iter_no_change", "early_stopping"),
    **same("validation_fraction test_size", "validation_split"),
    **same("callback callbacks validation_data checkpoint sample_weight",
           "it is not here; fit of an Autoencoder takes it"),
    **same("l1 l2 alpha regularizer weight_decay", "the weights do not decay here"),
    **same("shuffle", "rows are always shuffled"),
    **same("standardize scale normalize", "put a StandardScaler before it, in a Pipeline"),
}  # fmt: skip
ARGUMENTS |= {
    "AutoencoderTransformer": TRANSFORMER,
    "VAETransformer": {
        **{name: answer for name, answer in TRANSFORMER.items() if answer != "loss"},
        **ARGUMENTS["VAE"],
        "prior": "VAE(prior=...) takes one; here it is the standard normal",
    },
}

SIZES = {"n_in", "n_out", "c_in", "c_out", "kernel"}  # integers, not the name of an activation
