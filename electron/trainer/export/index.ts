import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExportRequest, ExportResult, Proof } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { readOnnx } from '../graph/onnx/index.ts'
import type { RequestContext } from '../host/context.ts'
import { readRunFolder } from '../host/run-folder.ts'
import { describe, type TrainedModel } from './about.ts'
import { modelCard } from './card.ts'
import { listFiles, removeContents, writePackage } from './packaging.ts'
import { proveExport } from './proof.ts'

/**
 * Writes a trained model as a folder that runs without Kestrel, then runs what was written on the original pictures and
 * compares. Nothing is left in the folder when the proof fails.
 * @throws KestrelError `export-proof-failed`, `operator-unsupported`, `model-unreadable`, `bad-request`, `stopped`.
 */
export async function exportModel(request: ExportRequest, context: RequestContext): Promise<ExportResult> {
  const model = await readTrained(request.modelDir)
  if (request.proofProbabilities.length !== request.proofImages.length * model.classes.length) {
    throw new KestrelError('bad-request', 'The answers to compare with do not fit the pictures.')
  }
  await mkdir(request.targetDir, { recursive: true })
  try {
    context.progress('writing', 0, 1)
    const about = describe(request, model)
    const samples = await writePackage(request, model, about)
    context.progress('writing', 1, 1)
    context.stop.throwIfAsked()
    const proof = await proveExport(request, model, context)
    if (!proof.passed) throw proofFailed(proof)
    await writeFile(join(request.targetDir, 'README.md'), modelCard(request, about, proof, samples))
    return { kind: 'export', ...(await listFiles(request.targetDir)), proof }
  } catch (error) {
    await removeContents(request.targetDir)
    throw error
  }
}

async function readTrained(folder: string): Promise<TrainedModel> {
  const { modelPath, classes, preprocessing } = await readRunFolder(folder)
  const bytes = await readFile(modelPath).catch((cause: unknown) => {
    throw new KestrelError('model-unreadable', 'The network of this model is missing.', { cause })
  })
  return { graph: readOnnx(bytes), modelPath, classes, preprocessing }
}

function proofFailed(proof: Proof): KestrelError {
  const other = proof.images - proof.same_answer
  const what =
    other > 0
      ? `The exported file gave another answer than Kestrel on ${other} of ${proof.images} pictures`
      : `The exported file gave probabilities that differ by ${proof.max_abs_diff_same_tensor.toPrecision(2)}`
  return new KestrelError('export-proof-failed', `${what}, so it is not offered.`, {
    kept: 'Your model in Kestrel is unchanged.',
    remedy: 'Choose the other format. If it happens again, save diagnostics from Settings.',
    cause: new Error(JSON.stringify(proof)),
  })
}
