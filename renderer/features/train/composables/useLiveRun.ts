import { computed, shallowRef, toValue, watch } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import type { TrainMetric } from '#shared/contract/trainer.ts'
import { useEvents } from '../../../app/events.ts'
import { useStudio } from '../../../client/index.ts'

/** The steps of a run: those kept so far, then the live ones, each once. */
export function useLiveRun(projectId: MaybeRefOrGetter<string>, runId: MaybeRefOrGetter<string | null>) {
  const studio = useStudio()
  const events = useEvents()
  const steps = shallowRef<ReadonlyMap<number, TrainMetric>>(new Map())

  function add(metrics: readonly TrainMetric[]): void {
    const next = new Map(steps.value)
    for (const metric of metrics) next.set(metric.step, metric)
    steps.value = next
  }
  async function catchUp(): Promise<void> {
    const id = toValue(runId)
    if (id === null) return
    try {
      const kept = await studio.runs.curve({ projectId: toValue(projectId), runId: id })
      if (id === toValue(runId)) add(kept)
    } catch (error) {
      // The curve is only a picture of the fit; live steps go on arriving without its beginning.
      console.warn('the curve so far could not be read', error)
    }
  }

  watch(
    () => toValue(runId),
    () => {
      steps.value = new Map()
      void catchUp()
    },
    { immediate: true },
  )
  events.onReconnect(() => void catchUp())
  events.onEvent((event) => {
    if (event.type === 'metric' && event.runId === toValue(runId)) add([event.metric])
  })

  const metrics = computed(() => [...steps.value.values()].sort((a, b) => a.step - b.step))
  const last = computed(() => metrics.value.at(-1) ?? null)
  return { metrics, last, catchUp }
}
