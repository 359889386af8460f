/** Words of Train. */
export default {
  title: 'Train',
  words: 'What the model learns from, and how.',
  start: 'Train',
  again: 'Train again',
  startHint: 'about {time}',
  basis: {
    measured: 'as measured on this computer',
    estimated: 'estimated; measured from the first training on',
  },
  cached: '{n} picture is known to the network already | {n} pictures are known to the network already',
  forecastMeaning:
    'Reading a picture with the network (computing its features) takes most of the time. It is done once for each picture and kept, so training again is quick.',
  stop: 'Stop, keep the best',
  stopping: 'Stopping; the best so far is kept',
  ready: 'Ready to learn',
  notYet: 'Not ready yet',
  almost: 'Almost done',
  readyWords: 'One press trains, tests and shows what is wrong.',
  running: 'Learning',
  left: 'About {time} left',
  working: 'Working',
  step: 'step',
  epoch: 'epoch',
  rate: 'pictures/s',
  rightNow: 'validation',
  done: 'Finished: {percent} % right on the test pictures',
  doneNoTest: 'Finished',
  doneWords: 'between {low} and {high} % · took {time}',
  failed: 'The training did not finish',
  interrupted: 'The training was interrupted',
  interruptedWords: 'What was computed is kept: training again goes on from there.',
  seeResults: 'See the results',
  goOn: 'Go on from the last epoch',
  kept: {
    tuned:
      'The adapted network is the model: {tuned} % of the validation pictures right, {head} % before (frozen).',
    head: 'The frozen network stays the model: adapting it got {tuned} % of the validation pictures right, frozen it gets {head} %.',
    tunedAlone:
      'The adapted network is the model. There were no validation pictures to compare it with the frozen one.',
    headOnly: 'The frozen network stays the model: {head} % of the validation pictures right.',
    headAlone: 'The frozen network stays the model.',
    headByTraining:
      'The frozen network stays the model: adapted, it got clearly fewer of its training pictures right.',
  },
  watched: 'What was noticed while it trained',
  verdict: { good: 'Good', attention: 'Worth a look', wrong: 'Wrong', skipped: 'Not judged' },
  curve: {
    title: 'How the fit goes',
    label: 'Curve of the fit',
    train: 'training',
    val: 'validation',
    step: 'step of the fit',
    epoch: 'epoch (once through all training pictures)',
    accuracy: 'Share right',
    loss: 'Loss',
    again: 'again, with all',
    show: 'Curve',
    meaning:
      'Training: pictures the model learns from. Validation: pictures it only uses to tune itself. When validation stops rising, more fitting would only learn the training pictures by heart (overfitting). Careful learns twice: the second time from the validation pictures as well, so that line ends half way.',
    empty: 'The curve appears here while the model learns.',
  },
  how: 'How it learns',
  recipe: {
    head: 'Quick',
    headWords:
      'Keeps a network that already knows pictures (frozen backbone) and learns only the last step. Seconds.',
    'fine-tune': 'Careful',
    'fine-tuneWords':
      'Begins with Quick, then also adapts the last blocks of that network to your pictures (fine-tuning). Minutes; kept only where it is better.',
    scratch: 'From scratch',
    scratchWords:
      'Learns everything from your pictures alone. For pictures unlike everyday photos, or when no ready-made network can be had. Minutes; needs more pictures.',
  },
  backbone: 'Network that already knows pictures',
  backboneTerm: 'backbone',
  backboneMeaning:
    'A network trained before on over a million everyday photos. It turns each picture into a list of numbers (features); your model learns to tell labels apart from these.',
  noBackbone: 'No ready-made network is on this computer.',
  noBackboneWords:
    'Kestrel can train a small network on the pixels instead. With a ready-made network results are mostly much better.',
  getBackbone: 'Get a network…',
  split: 'How the pictures are divided',
  splitMeaning:
    'Training pictures teach, validation pictures tune, test pictures judge once at the end. Each label is divided in the same shares (stratified), and a picture keeps its side when you add more.',
  splitOption: '{train} / {val} / {test}',
  splitUsual: '70 / 15 / 15 (usual)',
  splitFixed:
    '{n} picture keeps the side its folder gave it. | {n} pictures keep the side their folders gave them.',
  sharedShots:
    '{pictures} pictures show the same shot (near-duplicates) and stay together. | {pictures} pictures show {n} shots several times (near-duplicates); each shot stays together.',
  seed: 'Dice number (seed)',
  seedMeaning:
    'The same number divides the pictures the same way again. Another number gives another division.',
  learnsFrom: 'Learns from',
  tunesOn: 'Tunes on',
  testedOn: 'Is tested on, once',
  leftOut: 'Left out',
  leftOutWords: '{unlabelled} without label, {excluded} excluded',
  more: 'More choices',
  needs: 'Before training',
  worthKnowing: 'Worth knowing',
  toPictures: 'Go to Pictures',
  history: 'Earlier runs',
}
