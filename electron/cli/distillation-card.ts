import type { TrainingEngine } from '#shared/contract/trainer.ts'
import type { DistillationPlan } from '#shared/domain/distillation/plan.ts'
import type { StudentId } from '#shared/domain/distillation/students.ts'
import type { Preprocessing } from '#shared/domain/preprocessing/definition.ts'

/** `result.json` of `kestrel distill`: all that is needed to make the backbone again, and what came out. */
export interface DistillationReport extends Omit<DistillationPlan, 'sizes'> {
  kestrel: string
  teacher: { id: string; name: string; licence: string; sha256: string }
  student: StudentId
  /** Pixels, width and height. */
  size: number
  /** What it went on from; null: random weights. */
  begin: { folder: string; sha256: string } | null
  seed: number
  engine: TrainingEngine
  views: number
  epochs: number
  /** `reserved`: pictures of the probes that were left out, also where they lie in `folders`. */
  pictures: { folders: string[]; probes: string[]; used: number; skipped: number; reserved: number }
  featureLength: number
  parameters: number
  bytes: number
  sha256: string
  preprocessing: Preprocessing
  agreement: number | null
  /** How well it does when whole pictures are shown in each size; the best is the one it is written for. */
  sizes: { size: number; agreement: number }[]
  /** Of the last start: a backbone may be made in several. */
  timings: { features_s: number; train_s: number }
  stopped: { reason: string; message: string } | null
  path: string
}

/** The same for people, beside the backbone. */
export function distillationCard(report: DistillationReport): string {
  const { teacher, pictures } = report
  const probes = pictures.probes.map((name) => ` --probe ${name}`).join('')
  const folders = pictures.folders.length > 0 ? ` --pictures ${pictures.folders.join(' ')}` : ''
  const bySize =
    report.sizes.length > 1
      ? ` (learned at ${report.size}; agreement on whole pictures by size: ${report.sizes.map(({ size, agreement }) => `${size} ${agreement.toFixed(3)}`).join(', ')})`
      : ''
  return `# A backbone made by distillation

A small residual network (${report.student}, ${report.parameters.toLocaleString('en')} numbers, ${report.preprocessing.size.width} × ${report.preprocessing.size.height} pixels) that gives
${report.featureLength} features. It began ${report.begin ? `as the student that was made in ${report.begin.folder} (SHA-256 \`${report.begin.sha256}\`)` : `with random weights (seed ${report.seed})`} and learned to imitate the features of
${teacher.name} (\`${teacher.id}\`, licence: ${teacher.licence}). No weight of the teacher is in it.

| | |
| --- | --- |
| File | backbone.onnx, ${(report.bytes / 1e6).toFixed(2)} MB, weights in half precision, SHA-256 \`${report.sha256}\` |
| Pictures | ${pictures.used} (${pictures.skipped} could not be read${pictures.probes.length > 0 ? `, ${pictures.reserved} reserved and never shown` : ''}), ${report.views} views of each, shown ${report.epochs} times |
| Agreement | ${report.agreement === null ? 'not measured' : `mean cosine ${report.agreement.toFixed(3)} with the teacher's standardised features, on pictures held back`} |
| Pictures go in as | RGB, −1 … 1, stretched to ${report.preprocessing.size.width} × ${report.preprocessing.size.height}${bySize} |

Made by

    kestrel distill --teacher ${teacher.id}${folders}${probes} --student ${report.student}${report.begin ? ` --begin ${report.begin.folder}` : ''} --size ${report.size} --views ${report.views} --epochs ${report.epochs} --seed ${report.seed} --out DIR

with Kestrel ${report.kestrel}; result.json holds every setting.
`
}
