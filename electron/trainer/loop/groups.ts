import type { Regularisation } from '#shared/domain/training/config.ts'
import type { ParameterGroup } from '../autodiff/layout.ts'
import type { Network } from '../models/network.ts'

/**
 * Parameters in groups that are treated alike: weights are decayed and penalised, biases, scales and the like are not;
 * where blocks learn at their own pace, each pace has its groups.
 * @param paceOf factor of the learning rate by block; 0: the block does not learn.
 */
export function groupsOf(
  network: Network,
  { l1, l2, weightDecay }: Pick<Regularisation, 'l1' | 'l2' | 'weightDecay'>,
  paceOf: (block: number) => number = () => 1,
): ParameterGroup[] {
  const groups = new Map<string, ParameterGroup>()
  for (const { name, role, block } of network.parameters) {
    const learningRateFactor = paceOf(block)
    if (learningRateFactor === 0) continue
    const isWeight = role === 'weight'
    const key = `${isWeight ? 'weights' : 'others'} × ${learningRateFactor}`
    const known = groups.get(key)
    groups.set(key, {
      name: key,
      learningRateFactor,
      ...(isWeight ? { weightDecay, l1, l2 } : { weightDecay: 0, l1: 0, l2: 0 }),
      parameters: [...(known?.parameters ?? []), name],
    })
  }
  return [...groups.values()]
}
