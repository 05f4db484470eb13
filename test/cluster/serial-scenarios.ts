/** What the serial writes do, one after another: each dependent write right after the one that it depends on. */
import type { Random } from '../random.ts'
import { ALL, type Writer } from './serial-app.ts'

/** Kinds of write that rely on nothing new: what they carry was carried before. */
export const WEIGHT_STEP = 'VS: weight step'
export const BOTH = { v1: 'v1', v2: 'v2' }

export type Scenario = (writer: Writer, random: Random) => Promise<void>

export const pick = <T>(random: Random, values: readonly [T, ...T[]]): T => values[Math.floor(random() * values.length)] ?? values[0]

/** Each begins and ends with all requests to v1, subset v1 alone defined, Pods of v1 (track blue) and of v2 (track green). */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'grow and shrink': async (writer, random) => {
    await writer.defineSubsets('gains a subset', BOTH)
    await writer.route('VS: uses a new subset', { v1: 90, v2: 10 })
    for (let step = 0; step < 3; step++) {
      const weight = 1 + Math.floor(random() * 98)
      await writer.route(WEIGHT_STEP, { v1: 100 - weight, v2: weight })
    }
    await writer.route('VS: leaves a subset', { v1: 100 })
    await writer.defineSubsets('drops an unused subset', { v1: 'v1' })
  },
  dangle: async (writer, random) => {
    await writer.defineSubsets('gains a subset', BOTH)
    await writer.defineSubsets('drops an unused subset', { v1: 'v1' })
    await writer.route('VS: uses a subset just dropped', pick<Record<string, number>>(random, [{ v2: 100 }, { v1: 50, v2: 50 }]))
    await writer.route('VS: names a missing subset with weight 0', { v1: 100, v2: 0 })
    await writer.route('VS: leaves a subset', { v1: 100 })
  },
  'dropped in use': async (writer, random) => {
    await writer.defineSubsets('gains a subset', BOTH)
    await writer.route('VS: uses a new subset', pick<Record<string, number>>(random, [{ v2: 100 }, { v1: 50, v2: 50 }]))
    await writer.defineSubsets('drops a subset in use', { v1: 'v1' })
    await writer.deleteRule()
    await writer.route('VS: leaves a subset', { v1: 100 })
    await writer.defineSubsets('drops an unused subset', { v1: 'v1' })
  },
  'a release and its end': async (writer, random) => {
    await writer.defineSubsets('gains a subset', { v1: 'v1', v3: 'v3' })
    await writer.route('VS: uses a subset without Pods', { v1: 50, v3: 50 })
    await writer.createWorkload('c', { version: 'v3', track: 'green' })
    await writer.route('VS: uses a subset just Ready', { v1: 50, v3: 50 })
    await away(writer, random, 'in use', 'c')
    await writer.route('VS: leaves a subset', { v1: 100 })
    await away(writer, random, 'unused', 'c')
    await writer.route('VS: uses a subset whose Pods just went', { v1: 50, v3: 50 })
    if ('c' in writer.app.workloads) {
      if (writer.app.workloads['c']?.pod === null) await writer.scale('to 1', 'c', 1)
      if (writer.app.workloads['c']?.version !== 'v3') await writer.relabel('template relabelled back', 'c', 'v3')
      await writer.route('VS: uses a subset just Ready', { v1: 50, v3: 50 })
      await writer.route('VS: leaves a subset', { v1: 100 })
      await writer.deleteWorkload('deleted, unused', 'c')
    }
    await writer.defineSubsets('drops an unused subset', { v1: 'v1' })
  },
  'two Deployments behind one subset': async (writer, random) => {
    await writer.defineSubsets('gains a subset', { v1: 'v1', v3: 'v3' })
    await writer.createWorkload('c', { version: 'v3', track: 'green' })
    await writer.createWorkload('d', { version: 'v3', track: 'green' })
    await writer.route('VS: uses a subset just Ready', { v1: 50, v3: 50 })
    await away(writer, random, 'the other one serves', 'c')
    await away(writer, random, 'the last one', 'd')
    await writer.route('VS: leaves a subset', { v1: 100 })
    if ('c' in writer.app.workloads) await writer.deleteWorkload('deleted, unused', 'c')
    await writer.deleteWorkload('deleted, unused', 'd')
    await writer.defineSubsets('drops an unused subset', { v1: 'v1' })
  },
  'a selector': async (writer) => {
    await writer.defineSubsets('gains a subset', BOTH)
    await writer.select('selector still takes the Pods', 'blue')
    await writer.route('VS: uses a subset the selector just left', { v2: 100 })
    await writer.select('selector widened', null)
    await writer.route('VS: uses a subset the selector just took', { v1: 50, v2: 50 })
    await writer.select('selector leaves a subset in use', 'blue')
    await writer.route('VS: leaves a subset', { v1: 100 })
    await writer.select('selector leaves a subset in use', 'green')
    await writer.defineSubsets('drops an unused subset', { v1: 'v1' })
  },
  'a selector after its Pods': async (writer, random) => {
    await writer.createWorkload('c', { version: 'v1', track: 'green' })
    await writer.select('selector moves to Pods just Ready', 'green')
    await away(writer, random, 'the last one', 'c')
    await writer.select('selector widened', null)
    await writer.deleteWorkload('deleted, the other one serves', 'c')
    await writer.select('selector leaves a subset in use', 'green')
  },
  'a subset of other labels': async (writer) => {
    await writer.defineSubsets('gains a subset', BOTH)
    await writer.route('VS: uses a new subset', { v1: 50, v2: 50 })
    await writer.defineSubsets('relabels a subset to no Pods', { v1: 'v1', v2: 'v3' })
    await writer.createWorkload('c', { version: 'v3', track: 'green' })
    await writer.defineSubsets('relabels a subset to Pods just Ready', { v1: 'v1', v2: 'v3' })
    await writer.deleteWorkload('deleted, the last one', 'c')
    await writer.deleteWorkload('deleted, unused', 'b')
    await writer.defineSubsets('relabels a subset to Pods just gone', BOTH)
    await writer.route('VS: leaves a subset', { v1: 100 })
    await writer.defineSubsets('drops an unused subset', { v1: 'v1' })
    await writer.deleteWorkload('deleted, unused', 'c')
    await writer.createWorkload('b', { version: 'v2', track: 'green' })
  },
  'a DestinationRule that goes and comes': async (writer) => {
    await writer.route('VS: leaves every subset', { [ALL]: 100 })
    await writer.deleteRule()
    await writer.route('VS: uses a subset just dropped', { v1: 100 })
    await writer.createRule({ v1: 'v1' })
    await writer.route('VS: uses a new subset', { v1: 100 })
  },
  'a VirtualService that goes and comes': async (writer) => {
    await writer.deleteRoute()
    await writer.createRoute('v2')
    await writer.deleteRule()
    await writer.createRoute('v1')
    await writer.createRule({ v1: 'v1' })
    await writer.createRoute('v1')
    await writer.deleteRule()
  }
}

/** The three ways to take a Deployment's Pods from their subset. */
async function away(writer: Writer, random: Random, why: string, name: string): Promise<void> {
  const way = pick(random, ['delete', 'scale', 'relabel'])
  if (way === 'delete') await writer.deleteWorkload(`deleted, ${why}`, name)
  else if (way === 'scale') await writer.scale(`to 0, ${why}`, name, 0)
  else await writer.relabel(`template relabelled, ${why}`, name, 'v9')
}
