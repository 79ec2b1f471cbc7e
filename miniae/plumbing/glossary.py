"""What names of modules, losses and activations of other libraries are called here.

`plumbing.foreign` and `plumbing.names` look them up, as in `plumbing.dictionary`.
"""

from miniae.plumbing.dictionary import same

LAYER = "docs/18 lists all layers; docs/11 shows how to write one"
DATA = "datasets.mnist('train') returns (images, labels), images in [0, 1]"
NAMES = {  # of the package and its modules
    **same("Linear FullyConnected Affine", "Dense"),
    **same("Conv2DTranspose ConvTranspose2d Conv2dTranspose Deconv2D", "ConvTranspose2D"),
    **same("Conv2d Convolution2D Conv", "Conv2D"),
    **same("Activation SELU Softmax Swish SiLU",
           "activations are ReLU, LeakyReLU, ELU, GELU, Tanh, Sigmoid, Softplus; see docs/11"),
    **same("LeakyRelu leaky_relu", "LeakyReLU"),
    **same("Elu elu", "ELU"),
    **same("Gelu gelu", "GELU"),
    **same("relu tanh sigmoid softplus", "an activation is a layer, such as ReLU()"),
    **same("Conv1d Convolution1D", "Conv1D"),
    **same("Conv1DTranspose ConvTranspose1d", "ConvTranspose1D"),
    **same("MaxPooling2D MaxPool2d", "MaxPool2D"),
    **same("AveragePooling2D AvgPool2d", "MaxPool2D, or a stride above 1, takes its place"),
    **same("UpSampling2D Upsample", "UpSample2D"),
    **same("BatchNormalization BatchNorm1d BatchNorm2d", "BatchNorm"),
    "LayerNormalization": "LayerNorm",
    **same("GroupNorm InstanceNorm2d PReLU ZeroPadding2D Cropping2D "
           "GlobalAveragePooling2D Add Permute",
           "it is not here; docs/11 shows how to write a layer"),
    **same("MaxPooling1D MaxPool1D MaxPool1d UpSampling1D Conv3D Conv3d PositionalEncoding",
           "it is not here; docs/11 shows how to write a layer"),
    "RepeatVector": "Repeat",
    **same("RNN SimpleRNN", "LSTM and GRU take its place"),
    **same("LSTMCell GRUCell", "LSTM or GRU of one step, forward(x[:, None], state=state)"),
    **same("MultiheadAttention", "MultiHeadAttention"),
    **same("SelfAttention ScaledDotProductAttention scaled_dot_product_attention", "Attention"),
    **same("pad_sequence pack_padded_sequence Tokenizer", "pad_sequences"),
    **same("Masking", "the argument mask= of LSTM, GRU and attention takes its place"),
    **same("TransformerEncoder TransformerEncoderLayer Transformer", f"it is not here; {LAYER}"),
    **same("Input InputLayer Lambda Concatenate", f"it is not needed; {LAYER}"),
    "Unflatten": "Reshape",
    **same("Sampling Reparameterize Reparametrize", "a VAE draws z itself"),
    "Module": "Layer",
    **same("MSELoss MeanSquaredError MSE mse", "SquaredError"),
    **same("BCELoss BCEWithLogitsLoss BinaryCrossentropy BinaryCrossEntropy bce", "BernoulliNLL"),
    **same("CrossEntropyLoss CategoricalCrossentropy", "MultinomialNLL"),
    "GaussianNLLLoss": "GaussianNLL",
    **same("L1Loss MeanAbsoluteError MAE mae mean_absolute_error l1_loss", "AbsoluteError"),
    **same("SmoothL1Loss HuberLoss huber smooth_l1_loss", "Huber"),
    **same("PoissonNLLLoss Poisson poisson", "PoissonNLL"),
    **same("binary_crossentropy binary_cross_entropy mean_squared_error mse_loss",
           "a loss is an object here; metrics.mse compares arrays, model.evaluate(X) has the loss"),
    "NLLLoss": "MultinomialNLL",
    **same("CosineSimilarity LogCosh Hinge SSIM TripletMarginLoss",
           "it is not here; see docs/11 for a loss of your own"),
    **same("KLDivLoss KLDivergence kl_divergence kl_loss kld", "gaussian_kl"),
    **same("AdamW", "Adam(weight_decay=...) is AdamW"),
    **same("RMSprop Adagrad Adadelta Nadam Adamax LBFGS NAdam RAdam Ftrl",
           "the optimisers are SGD and Adam"),
    **same("load_model load", "Autoencoder.load(path) and VAE.load(path) read a model"),
    "save": "model.save(path) writes a model",
    **same("load_data load_mnist MNIST get_mnist mnist", DATA),
    **same("load_fashion_mnist FashionMNIST fashion_mnist", "datasets.fashion_mnist('train')"),
    **same("load_digits make_digits digits", "datasets.synthetic_digits(n)"),
    **same("cifar10 CIFAR10 fetch_openml omniglot kmnist KMNIST celeba CelebA svhn SVHN",
           "it is not here; load_idx reads IDX files, and fit takes any array"),
    **same("DataLoader Dataset TensorDataset", "fit takes arrays, or a function of batches"),
    **same("AutoEncoder AE autoencoder", "Autoencoder"),
    **same("VariationalAutoencoder VariationalAutoEncoder vae", "VAE"),
    **same("DenoisingAutoencoder", "Autoencoder(784, 32, corruption=GaussianNoise(0.5))"),
    **same("SparseAutoencoder", "Autoencoder(784, 32, penalty=L1Penalty(0.1))"),
    **same("ConvAutoencoder ConvolutionalAutoencoder", "conv_networks builds its two networks"),
    **same("CVAE", "ConditionalVAE"),
    **same("IWAE", "ImportanceWeightedVAE"),
    **same("VaeGan VAE_GAN VAEGan", "VAEGAN"),
    **same("AAE", "AdversarialAutoencoder"),
    **same("GAN", "VAEGAN(..., gamma=0.0) trains its decoder by the game alone"),
    **same("EarlyStopping", "fit(early_stopping=5), patience in epochs; with a min_delta it is "
           "callbacks.EarlyStopping(5, min_delta=...)"),
    **same("CSVLog CSVLogger", "it is callbacks.CSVLog(path), after from miniae import callbacks"),
    **same("ReduceOnPlateau ReduceLROnPlateau",
           "it is callbacks.ReduceOnPlateau(), after from miniae import callbacks"),
    **same("LearningRateScheduler StepLR ExponentialLR CosineAnnealingLR lr_scheduler schedules",
           "lr may be a function of the step, Adam(lr=function)"),
    **same("Callback LambdaCallback TensorBoard TerminateOnNaN SummaryWriter tqdm",
           "a callback is a function of (model, epoch, logs), fit(callback=function)"),
    **same("ModelCheckpoint", "fit(checkpoint=\"run.npz\")"),
    **same("optim optimizers", "SGD and Adam are in miniae itself"),
    **same("random manual_seed set_seed seed", "seed= of a model decides all its random numbers"),
    **same("cuda device no_grad Tensor tensor", "arrays are NumPy's, and there is no other device"),
    **same("nn keras models functional ops F tf torch backend utils initializers",
           f"the classes are in miniae itself; {LAYER}"),
    **same("train_test_split", "fit(validation_split=0.1) holds rows out"),
}  # fmt: skip

PLOTS = {
    **same("plot_history plot_loss plot_losses history loss plot_training loss_curve curves "
           "learning_curve learning_curves plot_loss_curves", "loss_curves"),
    **same("imshow show_images plot_images plot_digits show plot imgrid image_grid make_grid "
           "save_image plot_gallery gallery", "grid"),
    **same("reconstruction plot_reconstructions plot_reconstruction show_reconstructions "
           "compare", "reconstructions"),
    **same("plot_samples generated generate sample", "samples"),
    **same("plot_latent_space latent_space scatter latent plot_latent plot_label_clusters",
           "latent_scatter"),
    **same("manifold plot_manifold plot_latent_images", "latent_manifold"),
    **same("weights plot_weights kernels filter", "filters"),
    **same("traversals latent_traversal", "traversal"),
}  # fmt: skip
METRICS = {
    **same("mean_squared_error MSE mse_loss MeanSquaredError", "mse"),
    **same("roc_auc_score roc_auc auc AUC", "auroc"),
    **same("binary_crossentropy binary_cross_entropy bce log_loss", "evaluate of a model has it"),
    **same("accuracy_score", "accuracy"),
    **same("peak_signal_noise_ratio PSNR", "psnr"),
}
MODULES = {
    "metrics": METRICS
    | same("mean_absolute_error mae ssim structural_similarity r2_score precision_score f1_score "
           "average_precision_score roc_curve confusion_matrix silhouette_score Mean",
           "it is not here; scikit-learn's metrics take the arrays"),
}  # fmt: skip
MODULES["regularizers"] = NAMES | {
    **same("l1 L1 activity_l1 l1_penalty", "L1Penalty"),
    **same("l2 L2 l1_l2 L2Penalty", "Adam(weight_decay=) decays weights"),
    **same("kl_sparsity kl", "KLSparsity"),
}
DATASET = {  # arguments of datasets.mnist and fashion_mnist, and Keras' method
    **same("root path data_dir data_home cache_dir", "folder"),
    **same("train is_train", "it is split, \"train\" or \"test\""),
    **same("subset kind", "split"),
    **same("transform target_transform normalize as_frame return_X_y flatten",
           "images are float32 in [0, 1], (n, 28, 28); images.reshape(len(images), -1) has rows"),
    "load_data": "call it, datasets.mnist(\"train\") and datasets.mnist(\"test\"), each of which "
    "returns (images, labels)",
}  # fmt: skip
DIGITS = {
    **same("n_samples num_samples size count num", "n"),
    **same("random_state rng random_seed", "seed"),
}
CONV = {  # arguments of conv_networks
    **same("filters out_channels n_filters hidden hidden_dims", "channels"),
    "kernel_size": "kernel",
    "strides": "stride",
    **same("input_shape image_size image_shape img_size", "input_dim"),
    **same("encoding_dim code_dim latent_size z_dim n_latent", "latent_dim"),
    **same("seed random_state", "rng"),
    "padding": "it follows from the kernel",
}
OWN = "it is not here; docs/11_extending.md shows how to write a loss"
CALLBACKS = NAMES | {
    "CSVLogger": "CSVLog",
    **same("ReduceLROnPlateau ReduceLR", "ReduceOnPlateau"),
    **same("Checkpoint BackupAndRestore ModelCheckpoint", 'fit(checkpoint="run.npz")'),
    "History": "model.history has a number per epoch",
}
LOSS_NAMES = {  # names of losses elsewhere: the nearest here, or what to do
    **same("cross_entropy crossentropy binary_cross_entropy bce_with_logits bceloss bce_loss "
           "binary_crossentropy_with_logits logloss log_loss binary xent", "bce"),
    **same("categorical_crossentropy categorical_cross_entropy sparse_categorical_crossentropy "
           "multiclass softmax categorical", "multinomial"),
    **same("l2 squared squared_error mse_loss sse rmse l2_loss", "mse"),
    **same("l1 mean_absolute_error absolute_error l1_loss laplace mae", "mae"),
    **same("smooth_l1 smooth_l1_loss huber_loss huber", "huber"),
    **same("normal gaussian_nll", "gaussian"),
    **same("count counts poisson_nll poisson", "poisson"),
    "nll": "a likelihood has a name, such as bernoulli or gaussian",
    **same("nb zinb negative_binomial student_t t beta gamma lognormal cosine cosine_similarity "
           "logcosh log_cosh hinge ssim dice focal triplet contrastive mape msle quantile", OWN),
    **same("adam sgd rmsprop adagrad adadelta nadam adamax adamw",
           "it is an optimiser, an argument of fit"),
    "masked": "Masked('gaussian') is an object",
    "mixed": "Mixed([...]) is an object",
    **same("kld kl kl_divergence kl_div kullback_leibler_divergence",
           "the KL is a term of a VAE's loss, weighted by beta"),
}  # fmt: skip
ACTIVATION_NAMES = {
    **same("selu celu prelu swish silu mish softmax softsign hard_sigmoid relu6",
           "it is not here; docs/11_extending.md shows how to add it"),
    "logistic": "sigmoid",
    **same("leakyrelu leaky", "leaky_relu"),
    "gelu_tanh": "gelu",
}  # fmt: skip
ELSEWHERE = {  # by argument: names of other libraries, which are not misspelt ones of here
    **same("loss likelihood", LOSS_NAMES),
    "activation": ACTIVATION_NAMES
    | same("linear identity none", "hidden=() makes the model linear"),
    "code_activation": ACTIVATION_NAMES | same("identity none", "linear"),
}
