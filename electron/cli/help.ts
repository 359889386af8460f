export const commandNames = [
  'run',
  'resume',
  'distill',
  'gradcheck',
  'predict',
  'features',
  'serve',
  'doctor',
  'backbones',
] as const
export type CommandName = (typeof commandNames)[number]

export const overview = `Kestrel Studio on the command line: folders of pictures in, a trained model out.

  kestrel run FOLDER --out DIR      import, train, evaluate and export in one go
  kestrel resume DIR                does what is left of a run that was stopped or interrupted
  kestrel distill                   a small backbone of your own, taught by a large one
  kestrel gradcheck                 checks every gradient against differences
  kestrel predict PATH… --model M   what a model says about pictures
  kestrel features FOLDER           feature vectors of a backbone, as a NumPy file
  kestrel serve                     the studio in a browser on this computer
  kestrel doctor                    what works here, and why something does not
  kestrel backbones                 networks that already know pictures

  kestrel COMMAND --help            the options of a command
  kestrel --version                 also with --json, as all answers but those of serve

KESTREL_HOME moves the folder for settings, backbones and logs.
KESTREL_BACKBONES names a folder with backbones to use: ONNX and Keras files, folders of TensorFlow.js layers.
Exit codes: 0 done, 1 failed (with the reason), 2 wrong usage, 130 interrupted (Ctrl+C, or SIGINT, SIGTERM, SIGHUP).`

export const topics: Record<CommandName, string> = {
  run: `kestrel run FOLDER --out DIR [options]

Imports the pictures of FOLDER (its sub-folders name the labels), trains, evaluates and exports. DIR becomes a project
that the studio opens, too; the figures are in DIR/result.json. Run again with the same DIR it looks for what has
changed and starts from what is there. Ctrl+C stops a training and keeps the best so far; "kestrel resume DIR" goes on
with it. Pressed again, it ends at once.

  --out DIR          the project's folder; new, empty, or made by an earlier run
  --backbone ID      a network of "kestrel backbones"; the best one that is ready when left out
  --recipe NAME      head (a classifier on a frozen backbone), fine-tune (then also the last blocks of the backbone)
                     or scratch (a network that learns from the pixels alone)
  --head NAME        softmax (when left out) or svm (a linear support vector machine for each label), also for what a
                     fine-tuning begins with. An svm's probabilities are a ranking: they say which label is ahead, not how
                     probable it is
  --seed N           for split and training, 1 when left out
  --split A/B/C      shares of train/val/test, 70/15/15 when left out
  --folds K          also K-fold cross-validation over training and validation pictures
  --test-folder F    test on the pictures of F, which nothing is learned from
  --together WHAT    copies (when left out): files that are the same stay on one side and in one fold, as in most published
                     figures; what lies across all the same is said. shots: nearly the same pictures stay together, too,
                     as in the window: the honest figure where there are such
  --labels RULE      parent (the folder that holds the picture, also when left out), first, last or path
  --network N        scratch: small-cnn, lenet-5, small-vgg, small-resnet, mobilenet-like, or a FILE.json
  --training F.json  fine-tune and scratch: any part of the settings of the training, as a file; what it leaves out stays
                     as the recipe has it, and the options below win over it
  --top-blocks N     fine-tune: how many of the backbone's last blocks learn
  --optimizer NAME   sgd, momentum, nesterov, adagrad, rmsprop, adam or adamw
  --lr R             highest learning rate; --epochs N; --batch-size N
  --class-weights W  none or balanced (rare classes count for more)
  --augment PRESET   none, light, standard or strong changes of the pictures that are learned from
  --engine NAME      onnx; reference computes in 64 bits, very slowly (for checking toy networks); --device cpu
  --export FORMATS   onnx, tfjs or both (onnx,tfjs), each proved against the app's own answers
  --json             one JSON document on stdout, everything else on stderr

A file for --training names what should be otherwise, for example:

  { "learningRate": 0.002,
    "schedule": { "kind": "one-cycle", "up": 0.3 },
    "loss": { "labelSmoothing": 0.1 },
    "classWeights": { "daisy": 2 },
    "regularisation": { "mixup": 0.2, "l2": 0.0001, "averageDecay": 0.999, "earlyStopping": { "patience": 5 } },
    "augmentation": { "flipHorizontal": { "probability": 0.5 }, "rotate": { "probability": 1, "degrees": [-15, 15] } } }

  optimiser          kind, and momentum, beta1, beta2, rho, epsilon, initial, convention where the kind has them
  learningRate       the highest; groupRates { base, head }: factors on it for the backbone's blocks and the classifier
  schedule           kind: constant, step, exponential, cosine, one-cycle or plateau, and its numbers
  loss               kind: cross-entropy (labelSmoothing) or hinge (margin, squared)
  classWeights       none, balanced, a list in the order of the labels, or a number by label
  regularisation     l1, l2, weightDecay, clipNorm, averageDecay, mixup, cutmix, earlyStopping { monitor, patience, minDelta }
  epochs, batchSize, topBlocks, augmentation (a preset's name or changes written down), network
  unfreezeAtOnce     fine-tune: true lets the blocks learn under a classifier that knows nothing yet; mostly worse

A name that is not known, or a number out of its range, is refused with its place and what may stand there.`,
  resume: `kestrel resume DIR [--keep] [--json]

Does what is left of a "kestrel run --out DIR" that was stopped by Ctrl+C, interrupted or killed. A training by gradients
goes on from its last finished epoch and ends where the uninterrupted one would have ended (until then the model and the
figures of a stopped one stay as they are); before that, the command begins again with the pictures and features that are
there; after that, the figures and the exports that are missing are made.

  --keep             a stopped training does not go on: its model is taken as it is, and exported
  --json             one JSON document on stdout, everything else on stderr`,
  distill: `kestrel distill --teacher ID --pictures FOLDER… --student SIZE --out DIR [options]

Makes a small backbone that sees what a large one sees. The teacher looks at every picture, and at parts of it, once; the
student learns to give the same features. Labels are not needed. DIR gets backbone.onnx, which "kestrel backbones add"
takes in, card.md and result.json. The same command goes on where it was interrupted.

  --teacher ID       a backbone of "kestrel backbones"; or the folder of a project (its newest model) or of an ONNX export:
                     what that sees before it answers
  --pictures FOLDER  pictures to look at, with all sub-folders; several folders may follow
  --probe FOLDER     the same, but pictures whose SHA-256 begins with 0, 1 or 2 are never shown to the student, also where
                     they lie in a --pictures folder: what it is worth can be tested on them; may be given several times
  --student SIZE     tiny, small or medium
  --begin DIR        goes on from the student that an earlier distillation left in DIR (same teacher and size of student)
                     instead of random weights: with more pictures, or larger ones
  --size N           pixels the student learns at, a multiple of 32 from 64 to 320; 128 when left out. What it is written for
                     may be larger: whole pictures that were held back say what suits it best
  --views N          parts looked at of each picture, the whole among them; 6 when left out
  --epochs N         how often every part is shown; 12 when left out
  --seed N           same seed, same backbone; 1 when left out
  --out DIR          folder for the backbone and for what is computed on the way
  --engine NAME      onnx; reference computes in 64 bits, very slowly
  --json             one JSON document on stdout`,
  gradcheck: `kestrel gradcheck [NAME] [--engine ENGINE] [--json]

Compares the gradient of every layer, activation, loss and penalty with central differences and shows the relative error.
NAME: only those whose name contains it. ENGINE: reference (64 bits, when left out) or onnx (32 bits).`,
  predict: `kestrel predict PATH… --model EXPORT_OR_PROJECT [options]

Says what the pictures show. PATH is a picture or a folder. The model is the folder of an export, ONNX or TensorFlow.js,
or a project (its newest finished run).

  --model M          folder of an export or a project
  --csv F            a table: file, label, confidence, unsure and every label's probability ("-": to stdout)
  --sort-into DIR    copies the pictures into folders named by label; unsure ones into "not sure"
  --json             one JSON document on stdout`,
  features: `kestrel features FOLDER --backbone ID --out F.npy [--json]

Writes the features of every picture as a NumPy array [pictures, length] of 32-bit numbers, and beside it F.txt with
the file of each row. Pictures that cannot be read are left out and listed.`,
  serve: `kestrel serve [--port N] [--project DIR] [--open]

Opens the studio for a browser on this computer and prints its address with a one-time token. It answers on 127.0.0.1
only. Ctrl+C ends it.

  --port N           a free one when left out
  --project DIR      opens this project first
  --open             also opens the address in your browser, where there is a display`,
  doctor: `kestrel doctor [--json]

Lists engines (and why one cannot be used), backbones, versions, folders and free disk space.`,
  backbones: `kestrel backbones [list | get ID | add FILE] [--json]

  list               what is known, and what is ready to use; also what lies in the folder that KESTREL_BACKBONES names,
                     and why it cannot be used
  get ID             downloads one from its official place and checks it
  add FILE           takes in a file of your own: ONNX, Keras (.h5, .keras) or a TF.js layers model.json; a model that
                     was exported from another project as ONNX, too`,
}
