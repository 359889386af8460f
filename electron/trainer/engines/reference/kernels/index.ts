import { trainingDomain } from '../../../graph/training-operators.ts'
import type { TrainingOperator } from '../../../graph/training-operators.ts'
import type { Kernel, KernelTable } from '../kernel.ts'
import { activationKernels } from './activations.ts'
import { convolutionGradients, convolutionKernels } from './convolution.ts'
import { elementwiseKernels } from './elementwise.ts'
import { gatheringGradients, gatheringKernels } from './gathering.ts'
import { layoutKernels } from './layout.ts'
import { makingKernels } from './making.ts'
import { matrixKernels } from './matrix.ts'
import { normalisationKernels, normalisationTraining } from './normalisation.ts'
import { poolingGradients, poolingKernels } from './pooling.ts'
import { reductionKernels } from './reductions.ts'
import { resizeKernels } from './resize.ts'

/** ONNX's own operators. */
export const onnxKernels: KernelTable = {
  ...activationKernels,
  ...convolutionKernels,
  ...elementwiseKernels,
  ...gatheringKernels,
  ...layoutKernels,
  ...makingKernels,
  ...matrixKernels,
  ...normalisationKernels,
  ...poolingKernels,
  ...reductionKernels,
  ...resizeKernels,
}

/** The training operators, computed as their page says, without any lowering. */
export const trainingKernels: Readonly<Record<TrainingOperator, Kernel>> = {
  ...convolutionGradients,
  ...poolingGradients,
  ...normalisationTraining,
  ...gatheringGradients,
  Dropout: (call) => [call.input(0)],
}

const tables: ReadonlyMap<string, KernelTable> = new Map<string, KernelTable>([
  ['', onnxKernels],
  [trainingDomain, trainingKernels],
])

export function kernelOf(domain: string, op: string): Kernel | undefined {
  const table = tables.get(domain)
  return table !== undefined && Object.hasOwn(table, op) ? table[op] : undefined
}
