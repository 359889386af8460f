interface Known {
  name: string
  words: string
  /** Pictures per second to expect on two ordinary cores at 224 × 224, before anything was measured. */
  rate: number
}

/** Best first: what is taken when the person does not choose. Quality per second counts, not quality alone. */
const known = new Map<string, Known>([
  [
    'mobilenet_v2',
    {
      name: 'MobileNet V2',
      words: 'A good first choice: knows everyday things well and is quick on any computer.',
      rate: 120,
    },
  ],
  [
    'mobilenet_v3_large',
    { name: 'MobileNet V3', words: 'Quick, and knows everyday things well.', rate: 120 },
  ],
  [
    'efficientnet_lite4',
    {
      name: 'EfficientNet-Lite4',
      words: 'Sees finer differences than MobileNet; takes about five times as long.',
      rate: 25,
    },
  ],
  ['efficientnet_b0', { name: 'EfficientNet-B0', words: 'Sees finer differences; takes longer.', rate: 45 }],
  [
    'resnet18',
    {
      name: 'ResNet-18',
      words: 'A sturdy classic of middle size; often good on textures and surfaces.',
      rate: 40,
    },
  ],
  [
    'resnet50',
    {
      name: 'ResNet-50',
      words: 'A large classic with rich features; slow without a graphics card.',
      rate: 18,
    },
  ],
  ['mobilenet_v1', { name: 'MobileNet V1', words: 'Small and very quick; sees less detail.', rate: 250 }],
  [
    'squeezenet',
    { name: 'SqueezeNet', words: 'Small and quick; sees less detail than MobileNet.', rate: 120 },
  ],
  [
    'kestrel',
    {
      name: 'Kestrel’s own',
      words: 'Comes with Kestrel: works at once and without a network. Larger ones see finer differences.',
      rate: 160,
    },
  ],
])
const ranks = [...known.keys()]

/** Smaller is better; unknown ones come last. */
export const preferenceOf = (backbone: { architecture: string; featureLength: number }): number => {
  const rank = ranks.indexOf(backbone.architecture)
  // Of one architecture, the wider one: 1 / length keeps the ranks of architectures apart.
  return (rank < 0 ? ranks.length : rank) + 1 / (1 + backbone.featureLength)
}

/** `mobilenet_v1_0.50_160` → `MobileNet V1 0.50, 160 px`: the part of an id that tells siblings apart is kept. */
export function nameOf(architecture: string, id: string): string {
  const name = known.get(architecture)?.name
  if (name === undefined) return id
  const [width, size] = (/_(\d\.\d+)_(\d+)$/.exec(id) ?? []).slice(1)
  return width === undefined ? name : `${name}${width === '1.0' ? '' : ` × ${width}`}, ${size} px`
}

export const wordsOf = (architecture: string): string =>
  known.get(architecture)?.words ?? 'A backbone of your own.'

/** Pictures per second to expect; the work grows with the area of the input. */
export const expectedRateOf = (architecture: string, inputSize: number): number =>
  ((known.get(architecture)?.rate ?? 30) * 224 ** 2) / Math.max(32, inputSize) ** 2

/** What an id says of its architecture, before the file was read. */
export const architectureOfId = (id: string): string =>
  ranks.find((architecture) => id.startsWith(architecture)) ?? 'unknown'
