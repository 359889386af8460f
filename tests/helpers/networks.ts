import {
  activationNames,
  networkSpecSchema,
  type NetworkSpec,
  type NetworkSpecInput,
} from '#shared/domain/network/index.ts'

export const network = (
  layers: NetworkSpecInput['layers'],
  input: NetworkSpecInput['input'] = { width: 12, height: 9 },
  more: Partial<NetworkSpecInput> = {},
): NetworkSpec => networkSpecSchema.parse({ version: 1, name: 'net', input, layers, ...more })

/** Every layer there is, on a picture that is not square and of odd size. */
export const everything = network([
  { type: 'conv', filters: 8, size: 3, stride: 2, padding: 'same', bias: false },
  { type: 'batch-norm' },
  ...activationNames.map((name) => ({ type: 'activation' as const, function: name })),
  { type: 'dropout', rate: 0.3, drop: 'channels' },
  { type: 'separable-conv', filters: 12, size: 5, stride: 1, padding: 2 },
  { type: 'depthwise-conv', size: 3 },
  { type: 'squeeze-excite', reduction: 3 },
  { type: 'residual', layers: [{ type: 'conv', filters: 12, size: 3 }, { type: 'batch-norm' }] },
  { type: 'pool', kind: 'average', size: 3, stride: 2, padding: 'same' },
  {
    type: 'residual',
    layers: [{ type: 'conv', filters: 6, size: 3, stride: 2 }, { type: 'batch-norm' }],
  },
  { type: 'residual', layers: [{ type: 'separable-conv', filters: 4, size: 3, stride: 1 }] },
  { type: 'pool', size: 2, stride: 2, padding: 'same' },
  { type: 'flatten' },
  { type: 'fc', units: 7 },
  { type: 'batch-norm' },
  { type: 'activation', function: 'prelu' },
  { type: 'dropout', rate: 0.5 },
  { type: 'fc', units: 3, bias: false },
])
