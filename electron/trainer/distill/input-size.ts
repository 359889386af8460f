import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TrainerImage } from '#shared/contract/trainer.ts'
import { pixelPreprocessing } from '#shared/domain/preprocessing/pixels.ts'
import { computeFeatures } from '../data/features.ts'
import { writeOnnx } from '../graph/onnx/index.ts'
import type { Graph } from '../graph/types.ts'
import type { RequestContext } from '../host/context.ts'
import type { Judgement } from '../loop/fit.ts'

/** How well a student does when pictures are shown to it in this size. */
export interface AgreementAtSize {
  /** Pixels, width and height. */
  size: number
  /** Mean cosine with the teacher, over whole pictures that were held back. */
  agreement: number
}

/** Differences below this are none. */
const AS_WELL = 0.005

/**
 * The smallest of the sizes that do as well as any: fewer pixels take less time.
 * @returns null without any size
 */
export function bestSize(sizes: readonly AgreementAtSize[]): number | null {
  const most = Math.max(...sizes.map(({ agreement }) => agreement))
  const good = sizes.filter(({ agreement }) => agreement > most - AS_WELL)
  return good.length === 0 ? null : Math.min(...good.map(({ size }) => size))
}

/**
 * A student learns from parts of pictures, in which things are larger than in the whole ones it is used on: shown somewhat larger,
 * whole pictures look more like what it knows (Touvron et al. 2019, "Fixing the train-test resolution discrepancy"). How much
 * larger is tried out on pictures that were held back; no label is needed.
 * @param studentAt the whole student, the imitating layer on top, for pictures of a size
 * @param judge outputs of these pictures, one behind the other
 */
export async function agreementBySize(
  {
    sizes,
    studentAt,
    images,
    judge,
  }: {
    sizes: readonly number[]
    studentAt: (size: number) => Graph
    images: readonly TrainerImage[]
    judge: (outputs: Float32Array) => Judgement
  },
  context: RequestContext,
): Promise<AgreementAtSize[]> {
  if (images.length === 0) return []
  const found: AgreementAtSize[] = []
  const folder = await mkdtemp(join(tmpdir(), 'kestrel-sizes-'))
  try {
    for (const size of sizes) {
      const student = studentAt(size)
      const length = Number(student.outputs[0]!.shape![1])
      const bytes = writeOnnx(student)
      const onnxPath = join(folder, `${size}.onnx`)
      await writeFile(onnxPath, bytes)
      const outputs = new Float32Array(images.length * length)
      await computeFeatures({
        backbone: {
          ...{ id: 'student', sha256: createHash('sha256').update(bytes).digest('hex'), onnxPath },
          ...{ featureLength: length, preprocessing: pixelPreprocessing({ width: size, height: size }) },
        },
        ...{ images, cacheDir: folder, target: outputs, stop: context.stop },
        onProgress: (done, total, rate) => context.progress('evaluating', done, total, rate),
      })
      found.push({ size, agreement: judge(outputs).accuracy })
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return found
}
