package config

import (
	"slices"
	"strings"
)

// synonyms has the names that other programs and books use for a key, by its path,
// separated by spaces. They are suggested, never accepted.
var synonyms = map[string]string{
	"name":                           "run_name experiment title",
	"seed":                           "random_seed random_state rng rng_seed",
	"device":                         "accelerator gpu use_gpu",
	"machine":                        "backend engine vm",
	"precision":                      "dtype float floatx bits",
	"model":                          "network net architecture nn",
	"model.layers":                   "hidden hidden_layers hidden_layer hidden_size hidden_sizes hidden_layer_sizes hidden_units hidden_nodes n_hidden num_hidden units neurons nodes sizes layer_sizes dims topology",
	"model.activation":               "activation_function transfer_function nonlinearity",
	"model.bias":                     "use_bias biases",
	"model.init":                     "initialization initialisation initializer initialiser weight_init weights_init",
	"model.init.std":                 "stddev std_dev sigma scale init_std init_scale weight_std",
	"model.init.file":                "pretrained checkpoint weights load restore resume start_from warm_start",
	"data.dataset":                   "set data_set",
	"data.dir":                       "data_dir dirname directory folder root path data_path",
	"train":                          "training fit trainer",
	"train.epochs":                   "epoch num_epochs n_epochs nb_epoch max_epochs max_iter iterations",
	"train.batch":                    "batch_size minibatch minibatch_size mini_batch_size bs",
	"train.rate":                     "schedule scheduler rate_schedule lr_schedule lr_scheduler learning_rate_schedule",
	"train.rate.initial":             "learning_rate learn_rate learning_rate_init lr lr0 eta eta0 alpha step_size initial_lr",
	"train.rate.factor":              "decay lr_decay decay_rate gamma learning_rate_decay",
	"train.rate.every":               "decay_steps decay_every lr_step",
	"train.early_stopping":           "early_stop",
	"train.early_stopping.patience":  "n_iter_no_change",
	"train.early_stopping.min_delta": "tol tolerance",
	"train.augment":                  "augmentation data_augmentation transforms distortion distortions affine",
	"train.augment.rotate":           "rotation rotation_range degrees",
	"train.augment.shift":            "translate translation width_shift_range",
	"log.tensorboard":                "tb summary_writer events",
	"train.runs":                     "repeats restarts replicas trials",
	"train.runs.count":               "seeds n_seeds n_runs num_runs",
}

// words has the same for the values of a choice, by key=value.
var words = map[string]string{
	"device=cuda":              "gpu nvidia cuda:0",
	"machine=tape":             "gorgonia",
	"machine=interpret":        "interpreter",
	"precision=float32":        "single float fp32 f32 32",
	"precision=float64":        "double fp64 f64 64",
	"model.activation=sigmoid": "logistic",
	"model.init.rule=zeros":    "zero 0",
	"data.dataset=idx":         "ubyte",
	"data.dataset=digits":      "builtin synthetic",
}

// elsewhere are keys of other programs that this one does not have, and why not. Names
// have an s for the z of American English.
var elsewhere = []struct{ names, why string }{
	{"optimiser optim solver algorithm adam sgd rmsprop adagrad momentum nesterov",
		"the optimizer is plain gradient descent; its keys are train.rate and train.batch"},
	{"loss loss_function cost cost_function criterion objective cross_entropy softmax",
		"the cost is half the squared error, as in the textbook"},
	{"dropout regularisation regulariser weight_decay l1 l2 lambda lmbda",
		"there is no regularisation; train.early_stopping stops a run that no longer improves"},
	{"metric metrics accuracy", "cost and accuracy are always measured, after each epoch"},
	{"num_workers n_jobs workers threads cores gpus", "all cores are used, and the result does not depend on their number"},
	{"verbose logging log_level quiet", "what is printed is kept in log.txt of the run folder"},
	{"output output_dir out_dir save_dir save_path out run_dir", "the run folder is given by a flag of trainer train, -out"},
}

// Elsewhere says why there is no key for something that other programs have, or "".
func Elsewhere(name string) string {
	name = strings.NewReplacer("-", "_", "z", "s").Replace(strings.ToLower(lastPart(name)))
	for _, e := range elsewhere {
		if slices.Contains(strings.Fields(e.names), name) {
			return e.why
		}
	}
	return ""
}
