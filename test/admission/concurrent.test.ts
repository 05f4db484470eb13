/** Two conflicting writes in flight together through one replica: whatever the order in which their reads are answered, one of them sees the other. */
import fc from 'fast-check'
import t from 'tap'
import { createReviewer } from '../../src/admission/judge.ts'
import { Ledger } from '../../src/cluster/ledger.ts'
import { Slots } from '../../src/kubernetes/slots.ts'
import type { World } from '../../src/mesh/snapshot/snapshot.ts'
import type { State } from '../../src/mesh/snapshot/state.ts'
import type { Write } from '../../src/mesh/snapshot/write.ts'
import type { Change } from '../../src/review/change.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import { parsed } from '../changes.ts'
import { deployment, destinationRule, guide, type Manifest, rule, service, to, virtualService } from '../manifests.ts'
import { copyOf } from '../scenarios/behind.ts'

// Too long for the group `fast`.
t.setTimeout(900_000)

const NEVER = new AbortController().signal

/** Each is admitted alone; both together leave requests without an answer. */
const CONFLICTS: readonly (readonly [string, Manifest, Manifest | null, Manifest?])[] = [
  ['a route to a subset, and the subset removed', virtualService([rule([to('v2')])]), destinationRule(['v1'])],
  ['a route to a subset, and its Deployment scaled to 0', virtualService([rule([to('v2')])]), deployment('v2', { replicas: 0 })],
  ['a route to a subset, and its Deployment deleted', virtualService([rule([to('v2')])]), null, deployment('v2')],
  [
    'a route to a subset, and another selector',
    virtualService([rule([to('v2')])]),
    service({ selector: { app: 'helloworld', tier: 'web' } })
  ]
]

/** The guide's world; but v2 alone has the label `tier`'s opposite, so that the narrower selector leaves it behind. */
function world(): Manifest[] {
  const v1 = deployment('v1', {}, { app: 'helloworld', version: 'v1', tier: 'web' })
  return guide().map((manifest) => (manifest.metadata['name'] === 'helloworld-v1' ? v1 : manifest))
}

/** A cluster that answers reads, makes the writes that were admitted, and shows what it holds, each when the test says so. */
class Slow implements State {
  readonly #stored = new Sandbox()
  readonly #ledger: Ledger
  readonly #waiting: (() => void)[] = []
  #shown: World

  constructor() {
    for (const manifest of world()) this.#stored.load(parsed(manifest))
    this.#shown = copyOf(this.#stored.snapshot())
    this.#ledger = new Ledger(this.#shown)
  }

  readonly facts: State['facts'] = {
    read: (ref, signal) => this.later(() => this.#stored.facts.read(ref, signal)),
    list: (query, signal) => this.later(() => this.#stored.facts.list(query, signal))
  }

  snapshot() {
    return this.#shown
  }

  pending() {
    return this.#ledger.list()
  }

  admitted(write: Write): void {
    this.#ledger.add(write)
    this.#waiting.push(() => {
      this.#stored.admitted(write)
      this.#waiting.push(() => this.#show(write))
    })
  }

  health() {
    return this.#stored.health()
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Does one of the things that wait. */
  async answer(which: number): Promise<void> {
    const [next] = this.#waiting.splice(which % this.#waiting.length, 1)
    next?.()
    await turn()
  }

  #show({ ref }: Write): void {
    this.#shown = copyOf(this.#stored.snapshot())
    this.#ledger.seen(ref, this.#shown.find(ref.kind, ref.namespace, ref.name) ?? null)
  }

  later<T>(read: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => read().then(resolve, reject))
    })
  }
}

function change(state: State, apply: Manifest | null, remove?: Manifest): Change {
  const object = parsed(apply ?? (remove as Manifest))
  const before = state.snapshot().find(object.kind, object.namespace, object.name) ?? null
  const author = { username: 'alice', groups: [], manager: 'kubectl' }
  const after = apply === null ? null : object
  return { operation: after === null ? 'DELETE' : 'UPDATE', ref: object, before, after, dryRun: false, author }
}

interface Race {
  readonly order: readonly number[]
  /** Each judgement takes as many turns as it has parts, between which the test says what happens. */
  readonly inTurns: boolean
}

async function race(one: (state: State) => Change, other: (state: State) => Change, { order, inTurns }: Race): Promise<string[]> {
  const state = new Slow()
  const slots = new Slots(1)
  const pace = { isDue: () => true, turn: () => state.later(async () => undefined) }
  const leisure = { pace: () => pace, take: (signal: AbortSignal, asker: string) => slots.take(signal, asker) }
  const options = { state, policy: () => DEFAULT_POLICY, nowMs: () => 0, sleep: turn }
  const reviewer = createReviewer(inTurns ? { ...options, leisure } : options)
  const reviews = [one(state), other(state)].map((each) => reviewer(each, NEVER))
  const ended = Promise.all(reviews).then((decisions) => decisions.map(({ verdict }) => verdict))
  let over = false
  ended.finally(() => {
    over = true
  })
  for (let at = 0; !over; at++) {
    await turn()
    if (state.waiting > 0) await state.answer(order[at % order.length] ?? 0)
  }
  return ended
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

for (const [name, first, second, removed] of CONFLICTS) {
  t.test(name, async (t) => {
    const admits = async (apply: Manifest | null, remove?: Manifest) => {
      const state = new Sandbox()
      for (const manifest of world()) state.load(parsed(manifest))
      const reviewer = createReviewer({ state, policy: () => DEFAULT_POLICY, nowMs: () => 0 })
      return (await reviewer(change(state, apply, remove), NEVER)).verdict !== 'deny'
    }
    t.ok((await admits(first)) && (await admits(second, removed)), 'each alone is admitted')
    const order = fc.array(fc.nat(7), { minLength: 1, maxLength: 40 })
    const property = fc.asyncProperty(order, fc.boolean(), fc.boolean(), async (answers, swapped, inTurns) => {
      const how = { order: answers, inTurns }
      const [one, other] = [(state: State) => change(state, first), (state: State) => change(state, second, removed)]
      const verdicts = await (swapped ? race(other, one, how) : race(one, other, how))
      return verdicts.filter((verdict) => verdict === 'deny').length === 1
    })
    await t.resolves(fc.assert(property, { numRuns: 200 }), 'exactly one of the two is refused')
  })
}
