import type { TrainingEngine } from '#shared/contract/trainer.ts'
import type { Engine } from './engine.ts'

/** Loaded when first asked for: not every request needs one. */
export async function engineFor(id: TrainingEngine): Promise<Engine> {
  switch (id) {
    case 'onnx':
      return (await import('./onnx/engine.ts')).bestOnnxEngine()
    case 'reference':
      return (await import('./reference/engine.ts')).referenceEngine
  }
}
