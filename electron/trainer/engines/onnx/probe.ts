import { probeTarget, type Probed, type ProbeRun } from '../../autodiff/lowering/probe.ts'
import { writeOnnx } from '../../graph/onnx/index.ts'
import { toFloat32 } from '../../graph/tensor.ts'
import { OnnxSession } from './session.ts'

let found: Promise<Probed> | null = null

/** What ONNX Runtime computes best on this processor; tried once per process. */
export function probeCpu(): Promise<Probed> {
  found ??= probeTarget(tryOnce)
  return found
}

export const tryOnce: ProbeRun = async (graph, feeds) => {
  const session = await OnnxSession.open(writeOnnx(graph), { threads: 1, optimisation: 'extended' })
  try {
    const results = await session.run(feeds)
    return toFloat32(Object.values(results)[0]!)
  } finally {
    await session.dispose()
  }
}
