/** A judgement that takes long: others have their turn meanwhile, and what changes under it is seen. */
import { setImmediate as immediate } from 'node:timers/promises'
import t from 'tap'
import { createReviewer } from '../../src/admission/judge.ts'
import type { Leisure } from '../../src/admission/weighing.ts'
import { Slots } from '../../src/kubernetes/slots.ts'
import type { PendingWrite } from '../../src/mesh/snapshot/pending.ts'
import type { State } from '../../src/mesh/snapshot/state.ts'
import type { Change } from '../../src/review/change.ts'
import type { Reviewer } from '../../src/review/decision.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import { parsed } from '../changes.ts'
import { destinationRule, guideWith, type Manifest, namespace, rule, service, to, virtualService } from '../manifests.ts'

const NEVER = new AbortController().signal
const STEPPED = virtualService([rule([to('v1', 50), to('v2', 50)])])

/** The guide's world with a tenth of the requests on v2. */
function releasing(...more: readonly Manifest[]): Sandbox {
  const sandbox = new Sandbox()
  for (const manifest of guideWith(virtualService([rule([to('v1', 90), to('v2', 10)])]), ...more)) sandbox.load(parsed(manifest))
  return sandbox
}

function changeOf(state: State, manifest: Manifest): Change {
  const after = parsed(manifest)
  const before = state.snapshot().find(after.kind, after.namespace, after.name) ?? null
  const author = { username: 'alice', groups: [], manager: 'kubectl' }
  return { operation: before === null ? 'CREATE' : 'UPDATE', ref: after, before, after, dryRun: false, author }
}

/** A reviewer whose judgements are left after each of their parts; `between` is told of each pause. */
function hesitant(state: State, between: (pause: number) => void): { review: Reviewer; judgements: () => number } {
  const slots = new Slots(1)
  let pauses = 0
  let taken = 0
  const pace = {
    isDue: () => true,
    turn: async () => {
      between(pauses++)
      await immediate()
    }
  }
  const take: Leisure['take'] = (signal, asker) => {
    taken += 1
    return slots.take(signal, asker)
  }
  return {
    review: createReviewer({ state, policy: () => DEFAULT_POLICY, nowMs: () => 0, leisure: { pace: () => pace, take } }),
    judgements: () => taken
  }
}

/** How many pauses a judgement has that nothing disturbs. */
async function pausesOf(manifest: Manifest): Promise<number> {
  let pauses = 0
  const sandbox = releasing()
  const { review } = hesitant(sandbox, () => {
    pauses += 1
  })
  t.match(await review(changeOf(sandbox, manifest), NEVER), { verdict: 'allow', outcome: 'judged' })
  return pauses
}

t.test('what changes under it is seen, whenever it does', async (t) => {
  const pauses = await pausesOf(STEPPED)
  t.ok(pauses >= 3, `it has ${pauses} pauses`)
  for (let at = 0; at < pauses; at++) {
    const sandbox = releasing()
    const { review } = hesitant(sandbox, (pause) => {
      if (pause === at) for (const pod of [...sandbox.snapshot().all('Pod')]) if (pod.labels['version'] === 'v2') sandbox.unload(pod)
    })
    const { verdict, message } = await review(changeOf(sandbox, STEPPED), NEVER)
    t.equal(verdict, 'deny', `in pause ${at}`)
    t.match(message, 'unready-destination')
  }
})

t.test('what it did not come across may change as it likes', async (t) => {
  const elsewhere = { name: 'elsewhere', namespace: 'elsewhere' }
  const sandbox = releasing(namespace('elsewhere'), service({}, elsewhere))
  const { review, judgements } = hesitant(sandbox, (pause) =>
    sandbox.load(parsed(service({ ports: [{ name: 'http', port: 4000 + pause }] }, elsewhere)))
  )
  t.equal((await review(changeOf(sandbox, STEPPED), NEVER)).verdict, 'allow')
  t.equal(judgements(), 1)
})

t.test('a cluster that never stands still has an answer all the same', async (t) => {
  const sandbox = releasing()
  const { review, judgements } = hesitant(sandbox, (pause) =>
    sandbox.load(
      parsed(
        service({
          ports: [
            { name: 'http', port: 3000 },
            { name: 'more', port: 4000 + pause }
          ]
        })
      )
    )
  )
  t.equal((await review(changeOf(sandbox, STEPPED), NEVER)).verdict, 'allow')
  t.equal(judgements(), 3)
})

t.test('a write that was admitted meanwhile is leaned on, or not', async (t) => {
  const writes: readonly (readonly [string, Manifest, number])[] = [
    ['the subset is removed', destinationRule(['v1']), 2],
    ['the subset of another host is removed', destinationRule(['v1'], { host: 'other' }, { name: 'other' }), 1]
  ]
  for (const [name, manifest, expected] of writes) {
    const sandbox = releasing(destinationRule(['v1', 'v2'], { host: 'other' }, { name: 'other' }))
    const { ref, before, after } = changeOf(sandbox, manifest)
    const pending: PendingWrite[] = []
    const state: State = {
      snapshot: () => sandbox.snapshot(),
      facts: sandbox.facts,
      admitted: () => undefined,
      pending: () => pending,
      health: () => sandbox.health()
    }
    const { review, judgements } = hesitant(state, (pause) => {
      if (pause === 1) pending.push({ ref, before, after, replaced: before })
    })
    await review(changeOf(sandbox, STEPPED), NEVER, { isBelieved: true, remainingMs: () => 0, held: () => undefined })
    t.equal(judgements(), expected, name)
  }
})

t.test('whoever goes away gives up his place', async (t) => {
  const sandbox = releasing()
  const gone = new AbortController()
  const { review } = hesitant(sandbox, (pause) => {
    if (pause === 1) gone.abort(new Error('the client has gone'))
  })
  const change = changeOf(sandbox, STEPPED)
  const [working, waiting] = await Promise.allSettled([review(change, gone.signal), review(change, gone.signal)])
  t.match(working, { status: 'rejected', reason: { message: 'the client has gone' } })
  t.match(waiting, { status: 'rejected', reason: { message: 'the client has gone' } })
  t.equal((await review(changeOf(sandbox, STEPPED), NEVER)).verdict, 'allow', 'the next one has it')
})
