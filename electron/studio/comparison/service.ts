import type { Comparison, ComparisonResult } from '#shared/contract/comparison.ts'
import type { Backbone } from '#shared/contract/use.ts'
import { comparePairs } from '#shared/domain/paired-comparison.ts'
import {
  MIN_PROBE_PER_LABEL,
  MIN_PROBE_PICTURES,
  probeSample,
  whyNotTelling,
} from '#shared/domain/probe-sample.ts'
import { isOver } from '#shared/jobs/job.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { EventBus } from '../events/event-bus.ts'
import type { JobRunner } from '../jobs/job-runner.ts'
import type { Log } from '../log.ts'
import type { OpenProject, ProjectRegistry } from '../projects/open-project.ts'
import { createComparisonRepository } from '../storage/comparison-repository.ts'
import type { Measurement } from '../storage/comparison-repository.ts'
import { createRunsRepository } from '../storage/runs-repository.ts'
import type { PlannedPicture, TrainingPlan } from '../training/plan.ts'
import type { TrainingService } from '../training/service.ts'
import { measureBoth } from './measure.ts'
import type { MeasurePorts } from './measure.ts'

export interface ComparisonPorts extends MeasurePorts {
  registry: ProjectRegistry
  jobs: JobRunner
  bus: EventBus
  log: Log
  training: TrainingService
  /** Resolves when no change of labels is half-way through its pictures. */
  settled(projectId: string): Promise<void>
}

export type ComparisonService = ReturnType<typeof createComparisonService>

/** Tells what a larger backbone than the one that comes with Kestrel would gain on a project's own pictures. */
export function createComparisonService(ports: ComparisonPorts) {
  const { registry, jobs, backbones, training } = ports

  /** The one that comes with Kestrel and the best other one, by the order in which backbones are preferred. */
  async function contenders(): Promise<{ own: Backbone; other: Backbone } | null> {
    const usable = (await backbones.list()).filter(({ state }) => state !== 'broken')
    const own = usable.find(({ source, state }) => source === 'built-in' && state === 'ready')
    const other = usable.find(({ source }) => source !== 'built-in')
    return own && other ? { own, other } : null
  }

  /** @throws KestrelError backbone-unknown when it is not one that can be compared */
  async function contendersWith(backboneId: string): Promise<{ own: Backbone; other: Backbone }> {
    const all = await backbones.list()
    const other = all.find(({ id, source }) => id === backboneId && source !== 'built-in')
    const own = (await contenders())?.own
    if (!other || !own)
      throw new KestrelError('backbone-unknown', 'There is nothing to compare this network with.', {
        remedy: 'Choose the network you want to train with.',
      })
    return { own, other }
  }

  async function sampleOf(
    project: OpenProject,
  ): Promise<{ plan: TrainingPlan; sample: PlannedPicture[]; seed: number }> {
    const { plan, config } = await training.currentPlan(project)
    return { plan, sample: probeSample(plan.pictures, { seed: config.seed }), seed: config.seed }
  }

  async function resultOf(
    measurement: Measurement | null,
    { own, other }: { own: Backbone; other: Backbone },
    plan: TrainingPlan,
  ): Promise<ComparisonResult | null> {
    if (measurement?.ownId !== own.id || measurement.otherId !== other.id) return null
    const { pictures, bothRight, onlyOwn, onlyOther } = measurement
    const said = comparePairs({ pictures, bothRight, onlyFirst: onlyOwn, onlySecond: onlyOther })
    const now = await Promise.all([backbones.prepared(own.id), backbones.prepared(other.id)])
    return {
      ...{ measuredAt: measurement.measuredAt, pictures, onlyOwn, onlyOther },
      own: { accuracy: said.firstAccuracy, rate: measurement.ownRate },
      other: { accuracy: said.secondAccuracy, rate: measurement.otherRate },
      ...{ gain: said.gain, gainCi95: said.gainCi95, verdict: said.verdict },
      current:
        measurement.digest === plan.digest &&
        now[0]?.sha256 === measurement.ownSha256 &&
        now[1]?.sha256 === measurement.otherSha256,
    }
  }

  function begin(project: OpenProject, own: Backbone, other: Backbone): { jobId: string } {
    const { projectId } = project
    const running = jobs.list(projectId).find((job) => job.kind === 'compare' && !isOver(job))
    if (running) return { jobId: running.id }
    const { id } = jobs.start({
      kind: 'compare',
      projectId,
      title: other.name,
      // Not beside a training: two would take the cores from each other.
      queue: 'train',
      facts: { backboneId: other.id },
      run: async (job) => {
        await ports.settled(projectId)
        const { plan, sample, seed } = await sampleOf(project)
        const why = wordsOf(whyNotTelling(sample))
        if (why !== null) throw new KestrelError('too-few-pictures', why)
        const measured = await measureBoth(
          ports,
          project,
          {
            ...{ ownId: own.id, otherId: other.id, pictures: sample, seed },
            classes: plan.classes.map(({ name }) => name),
          },
          job,
        )
        project.use(createComparisonRepository).keepMeasurement({
          version: 1,
          measuredAt: Date.now(),
          ...{ ownId: own.id, otherId: other.id, digest: plan.digest },
          ...{ ownSha256: measured.own.sha256, otherSha256: measured.other.sha256 },
          ...{ pictures: measured.pictures, bothRight: measured.bothRight },
          ...{ onlyOwn: measured.onlyFirst, onlyOther: measured.onlySecond },
          ownRate: ports.rates.features(own.id),
          otherRate: ports.rates.features(other.id),
        })
        project.announce('pictures')
        ports.bus.publish({ type: 'backbones' })
      },
    })
    return { jobId: id }
  }

  return {
    /** @throws KestrelError project-not-found */
    async get({ projectId }: { projectId: string }): Promise<Comparison | null> {
      const project = registry.get(projectId)
      const both = await contenders()
      if (!both) return null
      const { plan, sample } = await sampleOf(project)
      const kept = project.use(createComparisonRepository)
      const decision = kept.decision()
      const { own, other } = both
      return {
        own,
        other,
        pictures: sample.length,
        cannotTell: wordsOf(whyNotTelling(sample)),
        declined:
          decision?.otherId === other.id && !decision.use && (decision.ready || other.state !== 'ready'),
        result: await resultOf(kept.measurement(), both, plan),
      }
    },

    /**
     * @returns the job of the measurement, or of the download that comes before it
     * @throws KestrelError project-not-found, backbone-unknown, too-few-pictures (nothing to download, and nothing to tell)
     */
    async measure({
      projectId,
      backboneId,
    }: {
      projectId: string
      backboneId: string
    }): Promise<{ jobId: string }> {
      const project = registry.get(projectId)
      const { own, other } = await contendersWith(backboneId)
      const why = async (): Promise<string | null> => wordsOf(whyNotTelling((await sampleOf(project)).sample))
      if (other.state === 'available' || other.state === 'downloading') {
        const download = backbones.download(backboneId)
        void jobs
          .wait(download.jobId)
          .then(async ({ state }) => {
            // The project may have been closed meanwhile; with too few pictures the note says so itself.
            const open = registry.all().includes(project)
            if (state === 'done' && open && (await why()) === null) begin(project, own, other)
          })
          .catch((error: unknown) => ports.log.warn('the comparison after a download did not begin', error))
        return download
      }
      const words = await why()
      if (words !== null) throw new KestrelError('too-few-pictures', words)
      return begin(project, own, other)
    },

    /** @throws KestrelError project-not-found, backbone-unknown */
    async decide({
      projectId,
      backboneId,
      use,
    }: {
      projectId: string
      backboneId: string
      use: boolean
    }): Promise<void> {
      const project = registry.get(projectId)
      const { own, other } = await contendersWith(backboneId)
      const ready = other.state === 'ready'
      project.use(createComparisonRepository).keepDecision({
        version: 1,
        ...{ otherId: other.id, use, ready },
        // Who does not want a download now has not decided against the network.
        chosen: use ? other.id : ready ? own.id : null,
        afterRun: project.use(createRunsRepository).nextNumber() - 1,
      })
      project.announce('pictures')
    },
  }
}

function wordsOf(why: ReturnType<typeof whyNotTelling>): string | null {
  if (why === null) return null
  return why === 'few-labels'
    ? 'Whether it would help cannot be measured yet: that takes pictures with at least two labels.'
    : `Whether it would help cannot be measured yet: that takes at least ${MIN_PROBE_PICTURES} training and validation pictures, and ${MIN_PROBE_PER_LABEL} of each of two labels.`
}
