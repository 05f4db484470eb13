/** How long others wait for their turn while a judgement takes long. */
import { setImmediate as immediate } from 'node:timers/promises'
import t from 'tap'
import { createReviewer } from '../../src/admission/judge.ts'
import type { Leisure } from '../../src/admission/weighing.ts'
import { systemClock } from '../../src/kubernetes/clock.ts'
import { Steps } from '../../src/kubernetes/pace.ts'
import { Slots } from '../../src/kubernetes/slots.ts'
import type { State } from '../../src/mesh/snapshot/state.ts'
import { decide } from '../../src/review/decide.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { apply, worldOf } from '../changes.ts'
import { deployment, destinationRule, guide, rule, service, to, virtualService } from '../manifests.ts'

// Too long for the group `fast`.
// Measures time.
t.setTimeout(300_000)

const NEVER = new AbortController().signal

t.test('those that cost little pass by, and no turn takes as long as the whole', async (t) => {
  const names = Array.from({ length: 1600 }, (_, at) => `service-${at}`)
  const world = worldOf([
    ...guide(),
    ...names.flatMap((name) => [
      service({ selector: { app: name } }, { name }),
      { ...deployment('v1', {}, { app: name }), metadata: { name, namespace: 'default' } },
      virtualService([rule([{ destination: { host: name } }])], { hosts: [name] }, { name })
    ])
  ])
  const state: State = {
    snapshot: () => world,
    // Each answer comes in a turn of its own, as from a network.
    facts: {
      read: async ({ kind, namespace, name }) => {
        await immediate()
        return world.find(kind, namespace, name) ?? null
      },
      list: async ({ kind }) => {
        await immediate()
        return [...world.all(kind)]
      }
    },
    admitted: () => undefined,
    pending: () => [],
    health: () => ({ fresh: true, ageMs: {}, reasons: [] })
  }
  const dear = apply(world, destinationRule([], { host: '*.default.svc.cluster.local' }, { name: 'all' }))
  const cheap = apply(world, virtualService([rule([to('v1', 50), to('v2', 50)])]))
  const slots = new Slots(1)
  const leisure: Leisure = { pace: () => new Steps(systemClock, busyMs), take: (signal, asker) => slots.take(signal, asker) }
  const review = createReviewer({ state, policy: () => DEFAULT_POLICY, nowMs: () => 0, leisure })
  // What is not compiled yet is dear, whatever it does.
  for (let at = 0; at < 50; at++) await review(cheap, NEVER)
  decide(dear, world, DEFAULT_POLICY, 0)
  const before = busyMs()
  decide(dear, world, DEFAULT_POLICY, 0)
  const wholeMs = busyMs() - before
  let [answered, isOver, longestMs, last] = [0, false, 0, busyMs()]
  const ended = review(dear, NEVER).finally(() => {
    isOver = true
  })
  while (!isOver) {
    void review(cheap, NEVER).then(() => answered++)
    await immediate()
    const now = busyMs()
    longestMs = Math.max(longestMs, now - last)
    last = now
  }
  t.equal((await ended).verdict, 'allow')
  t.ok(answered >= 10, `${answered} others were answered meanwhile`)
  t.ok(longestMs < wholeMs / 2, `${Math.round(longestMs)} ms of ${Math.round(wholeMs)} ms`)
})

/** Of this thread, whoever else has the core. */
function busyMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
