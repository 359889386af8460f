import type { GradientRule } from '../context.ts'
import { elementwiseGradients } from './elementwise.ts'

/** By operator; operators outside ONNX's own set as `domain::Operator`. */
export const gradientRules: Readonly<Record<string, GradientRule>> = {
  ...elementwiseGradients,
}
