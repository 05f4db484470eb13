/** Careless releases by chance: the guide's steps and some mistakes, in any order, and then the way out. */
import { seeded } from '../random.ts'
import { workload } from './objects.ts'
import {
  ADD_SUBSET,
  ADD_WORKLOAD,
  ALL_TO_V2,
  CLASSES,
  GENERIC_SERVICE,
  NO_FALLBACK,
  ONE_VERSION,
  PIN_SERVICE,
  REMOVE_SUBSET,
  REMOVE_WORKLOAD,
  remove,
  SCALE_TO_ZERO,
  type Script,
  weight
} from './scripts.ts'

const MISTAKES = [NO_FALLBACK, PIN_SERVICE, SCALE_TO_ZERO, remove('Deployment v2 deleted', workload('v2')), REMOVE_SUBSET]
const WAY_OUT = [GENERIC_SERVICE, ADD_SUBSET, ADD_WORKLOAD, ALL_TO_V2, REMOVE_SUBSET, REMOVE_WORKLOAD]

/** As many scripts as asked for; the same ones for the same seed. */
export function randomScripts(count: number, seed: number): Script[] {
  const random = seeded(seed)
  const shuffled = <T>(items: readonly T[]) =>
    items
      .map((item) => ({ item, at: random() }))
      .sort((one, other) => one.at - other.at)
      .map(({ item }) => item)
  return Array.from({ length: count }, (_, at) => {
    const weights = [1, 2, 3].map(() => weight(10 * (1 + Math.floor(random() * 9))))
    const mistakes = shuffled(MISTAKES).slice(0, 2)
    const steps = shuffled([ADD_SUBSET, ADD_WORKLOAD, ...weights, ALL_TO_V2, REMOVE_WORKLOAD, ...mistakes])
    return {
      name: `random-${at + 1}`,
      title: `random ${at + 1} of seed ${seed}`,
      classes: CLASSES,
      base: ONE_VERSION,
      steps: [...steps, ...WAY_OUT],
      careless: true
    }
  })
}
