import type { ExportRequest, MadeSmall, Proof } from '#shared/contract/trainer.ts'
import type { About } from './about.ts'

const percent = (value: number): string => `${(value * 100).toFixed(1)} %`
/** Text that stands in a cell of a Markdown table. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replace(/\s+/g, ' ')

/** The model card: what the model is, how it was made, how good it is, what it is not for, how to run it. */
export function modelCard(
  request: ExportRequest,
  about: About,
  proof: Proof,
  sampleFiles: readonly string[],
): string {
  const { card } = request
  const { pictures } = card
  const samples = sampleFiles.length === 0 ? 'PICTURE.jpg' : sampleFiles.slice(0, 2).map(quoted).join(' ')
  const sections = [
    `# ${cell(card.name)}`,
    `A picture classifier: it tells apart ${list(about.labels)}. Made with Kestrel Studio ${card.kestrelVersion} on ` +
      `${card.createdAt.slice(0, 10)}.`,
    '## How good it is',
    quality(request),
    ...(card.madeSmall ? ['## Beside the model it was made from', besideTeacher(card.madeSmall)] : []),
    '## How it was made',
    [
      `- Backbone (the network that looks at the picture): ${card.backbone}`,
      `- Licence of the backbone: ${card.backboneLicence ?? 'not known; ask whoever gave you the file'}`,
      `- Recipe: ${recipeInWords(card)}`,
      `- Pictures: ${pictures.train} for training, ${pictures.val} for validation, ${pictures.test} for the test`,
      `- Seed: ${card.seed} (the same pictures and seed give the same split and the same model)`,
    ].join('\n'),
    '## What it is for, and what it is not for',
    [
      `- It answers with one of ${about.labels.length} labels, whatever the picture shows. A picture of something else ` +
        'also gets one of these labels, often with a high probability.',
      '- The figures hold for pictures like those it was trained and tested on: same kind of camera, light, distance, ' +
        'background. Try it on your own pictures before you rely on it.',
      ...(isSvm(card) ? [rankingInWords] : []),
      '- Do not use it alone where a wrong answer can hurt somebody.',
    ].join('\n'),
    `## When it is not sure`,
    `Where the best probability is below **${about.threshold}**, the answer should be read as "not sure". The threshold ` +
      'was chosen on pictures the model had not learned from (never the test pictures) and can be changed in ' +
      `\`${about.format === 'onnx' ? 'model.json' : 'classifier.json'}\`.`,
    '## What happens to a picture before the model sees it',
    about.preprocessingInWords.map((step, index) => `${index + 1}. ${step}`).join('\n'),
    '## How to run it',
    about.format === 'onnx' ? onnxUse(about, samples) : tfjsUse(about, samples),
    '## Proof',
    proofInWords(proof),
    '## Files',
    (about.format === 'onnx' ? onnxFiles : tfjsFiles)
      .map(([file, what]) => `- \`${file}\`: ${what}`)
      .join('\n'),
  ]
  return `${sections.join('\n\n')}\n`
}

/** A path as it is typed after a command. */
const quoted = (file: string): string => (/^[\w./-]+$/.test(file) ? file : `"${file}"`)

const list = (labels: readonly string[]): string =>
  labels.length > 12 ? `${labels.slice(0, 12).join(', ')} and ${labels.length - 12} more` : labels.join(', ')

type Card = ExportRequest['card']

/** Whether the model itself is an SVM on frozen features, and not a network that began with one. */
const isSvm = ({ recipe, objective, tuned }: Card): boolean =>
  objective === 'svm' && (recipe === 'head' || (recipe === 'fine-tune' && tuned === false))

const rankingInWords =
  '- Its probabilities are a ranking: a softmax over twice the scores of support vector machines, which learn which label ' +
  'is ahead and not how probable it is. Compare them with each other and with the threshold; do not read them as chances.'

function recipeInWords(card: Card): string {
  const { recipe, objective } = card
  const linear =
    objective === 'svm' ? 'a linear support vector machine for each label' : 'a softmax classifier'
  switch (recipe) {
    case 'head':
      return `the backbone is kept as it is; ${linear} is trained on its features`
    case 'fine-tune':
      return card.tuned === false
        ? `the backbone is kept as it is, because training its last blocks further was no better; ${linear} is trained on its features`
        : `${linear} on the features of a backbone, whose last blocks were then trained further (fine-tuned)`
    case 'scratch':
      return 'a network trained from the pixels of these pictures alone'
  }
}

function quality(request: ExportRequest): string {
  const { testAccuracy, testAccuracyCi95, macroF1, perClass, pictures } = request.card
  if (testAccuracy === null) {
    return 'It was not tested on pictures kept aside, so how often it is right is not known.'
  }
  const interval =
    testAccuracyCi95 === null
      ? ''
      : ` With this many pictures the true figure lies between ${percent(testAccuracyCi95[0])} and ` +
        `${percent(testAccuracyCi95[1])} (95 % interval).`
  const rows = perClass.map(
    ({ label, precision, recall, f1, support }) =>
      `| ${cell(label)} | ${percent(precision)} | ${percent(recall)} | ${f1.toFixed(3)} | ${support} |`,
  )
  return [
    `On ${pictures.test} test pictures that took no part in training it was right on **${percent(testAccuracy)}**.${interval}` +
      (macroF1 === null ? '' : ` Macro F1: ${macroF1.toFixed(3)}.`),
    ...(rows.length === 0
      ? []
      : [
          [
            '| label | right when it says so (precision) | found (recall) | F1 | test pictures |',
            '|---|---|---|---|---|',
            ...rows,
          ].join('\n'),
        ]),
  ].join('\n\n')
}

/** A model that was made small learned what a larger one answers: what that cost, and what it saved. */
function besideTeacher({ teacher, student }: MadeSmall): string {
  const right = (share: number | null): string => (share === null ? 'not tested' : percent(share))
  const size = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
  const time = (milliseconds: number): string => `${milliseconds.toFixed(1)} ms`
  return [
    'It learned what a larger model answers for the training pictures, and their labels (distillation). Both were judged ' +
      'on the same test pictures; times are for one picture on the computer it was made on, without reading the file.',
    [
      '| | the larger model | this one |',
      '|---|---|---|',
      `| right on the test pictures | ${right(teacher.testAccuracy)} | ${right(student.testAccuracy)} |`,
      `| size of the model in Kestrel | ${size(teacher.bytes)} | ${size(student.bytes)} |`,
      `| time for a picture | ${time(teacher.milliseconds)} | ${time(student.milliseconds)} |`,
    ].join('\n'),
  ].join('\n\n')
}

const onnxUse = (about: About, samples: string): string => `Python 3.9 or newer:

\`\`\`
pip install -r requirements.txt
python predict.py ${samples}
\`\`\`

JavaScript, with Node 20 or newer:

\`\`\`
npm install
node predict.mjs ${samples}
\`\`\`

Any other program with ONNX Runtime: the input \`${about.input.name}\` is ${about.input.type} [${about.input.shape.join(', ')}], the output
\`${about.output.name}\` is ${about.output.type} [${about.output.shape.join(', ')}]. ${about.input.meaning} ONNX Runtime 1.17 or newer is needed (operator set 18).`

const tfjsUse = (about: About, samples: string): string => `JavaScript, with Node 20 or newer:

\`\`\`
npm install
node predict.mjs ${samples}
\`\`\`

In a browser: \`npm install\`, then \`npm start\`, and open the address it prints. The page takes TensorFlow.js from
\`node_modules/@tensorflow/tfjs/dist/tf.min.js\`, which \`npm install\` puts there; nothing else is loaded. In a page of your own:

\`\`\`
<script src="./node_modules/@tensorflow/tfjs/dist/tf.min.js"></script>
<script type="module">
  import { classifierFrom } from './classifier.js'
  const about = await (await fetch('./classifier.json')).json()
  const model = await tf.loadGraphModel('./model.json')
  const { predictPixels } = classifierFrom(tf, model, about)
</script>
\`\`\`

The model is a TF.js graph model. Its input \`${about.input.name}\` is ${about.input.type} [${about.input.shape.join(', ')}], its output \`${about.output.name}\` is
${about.output.type} [${about.output.shape.join(', ')}]. ${about.input.meaning} \`preprocess.js\` does that resize as the app does it. A browser may decode
JPEG files with slightly other values than Node, so its probabilities can differ in the third digit.`

const figure = (value: number): string => (value === 0 ? '0' : value.toPrecision(2))

export function proofInWords(proof: Proof): string {
  if (proof.images === 0) return 'There was no picture to compare this file with the app on.'
  return (
    `After it was written, this file was run on ${proof.images} original picture files with the JavaScript beside it: ` +
    `${proof.same_answer} of ${proof.images} same answers as in Kestrel Studio, largest difference of a probability ` +
    `${figure(proof.max_abs_diff)} (${figure(proof.max_abs_diff_same_tensor)} on the same resized picture).`
  )
}

const shared: [string, string][] = [
  ['labels.txt', 'the labels, one in a line, in the order of the probabilities'],
  ['samples/', 'test pictures; samples/expected.json has what Kestrel Studio answers for them'],
]
const onnxFiles: [string, string][] = [
  ['model.onnx', 'the model; resizing and scaling are inside'],
  ['model.json', 'labels, threshold, preprocessing, names of input and output'],
  ['predict.py, requirements.txt', 'the model run from Python'],
  ['predict.mjs, decode.mjs, package.json', 'the model run from JavaScript'],
  ...shared,
]
const tfjsFiles: [string, string][] = [
  ['model.json, group1-shard…bin', 'the model and its weights; scaling is inside'],
  ['classifier.json', 'labels, threshold, preprocessing, names of input and output'],
  ['predict.mjs, decode.mjs, package.json', 'the model run from Node'],
  ['index.html, serve.mjs', 'the model run in a browser'],
  ['classifier.js, preprocess.js', 'resizing and answering, for both'],
  ...shared,
]
