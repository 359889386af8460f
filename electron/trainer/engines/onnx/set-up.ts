import { GraphBuilder } from '../../graph/builder.ts'
import { writeOnnx } from '../../graph/onnx/index.ts'
import { float32 } from '../../graph/tensor.ts'
import { OnnxSession } from './session.ts'

/**
 * ONNX Runtime sets itself up with its first session, which takes as long as a tenth of a small fit: done while a process
 * waits for its first task.
 * @returns whether it could be; where it could not, who needs the runtime is told why
 */
export async function setUpOnnxRuntime(): Promise<boolean> {
  const builder = new GraphBuilder('first')
  const x = builder.input({ name: 'x', type: 'float32', shape: ['n', 2] })
  const product = builder.node('MatMul', [x, builder.constant('w', float32([2, 2], [1, 2, 3, 4]))])
  builder.output(product, { name: 'y', type: 'float32', shape: ['n', 2] })
  try {
    const session = await OnnxSession.open(writeOnnx(builder.build()))
    await session.run({ x: float32([1, 2], [1, 1]) })
    await session.dispose()
    return true
  } catch {
    return false
  }
}
