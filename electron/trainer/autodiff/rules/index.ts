import type { GradientRule } from '../context.ts'
import { activationGradients } from './activations.ts'
import { borderGradients } from './borders.ts'
import { convolutionGradients } from './convolution.ts'
import { elementwiseGradients } from './elementwise.ts'
import { functionGradients } from './functions.ts'
import { layoutGradients } from './layout.ts'
import { matrixGradients } from './matrix.ts'
import { normalisationGradients } from './normalisation.ts'
import { poolingGradients } from './pooling.ts'
import { reductionGradients } from './reductions.ts'
import { softmaxGradients } from './softmax.ts'

/** By operator; operators outside ONNX's own set as `domain::Operator`. */
export const gradientRules: Readonly<Record<string, GradientRule>> = {
  ...elementwiseGradients,
  ...functionGradients,
  ...activationGradients,
  ...softmaxGradients,
  ...reductionGradients,
  ...matrixGradients,
  ...convolutionGradients,
  ...poolingGradients,
  ...normalisationGradients,
  ...layoutGradients,
  ...borderGradients,
}
