import { computed, ref, toValue } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import type { TrainConfig, TrainingOptions } from '#shared/contract/training.ts'

/** Shares offered in words; a person who wants others uses the command line. */
export const splitChoices = [
  { train: 0.7, val: 0.15, test: 0.15 },
  { train: 0.6, val: 0.2, test: 0.2 },
  { train: 0.8, val: 0.1, test: 0.1 },
  { train: 0.5, val: 0.25, test: 0.25 },
] as const

/** The recommended training with what the person chose otherwise; choices survive a change of the recommendation. */
export function useTrainConfig(options: MaybeRefOrGetter<TrainingOptions | undefined>) {
  const chosen = ref<Partial<TrainConfig>>({})
  const config = computed<TrainConfig | null>(() => {
    const recommended = toValue(options)?.recommended
    return recommended ? { ...recommended, ...chosen.value } : null
  })
  const choose = (part: Partial<TrainConfig>): void => {
    chosen.value = { ...chosen.value, ...part }
  }
  return { config, choose }
}
