/** Writes that lean on what was admitted and may never be made: another webhook refuses it, a quota does, or the client has gone (docs/architecture.md). */
import t from 'tap'
import { createReviewer } from '../../src/admission/judge.ts'
import { Ledger } from '../../src/cluster/ledger.ts'
import { formatRef, type MeshObject } from '../../src/kinds/index.ts'
import type { PendingWrite } from '../../src/mesh/snapshot/pending.ts'
import type { Facts, State } from '../../src/mesh/snapshot/state.ts'
import type { Write } from '../../src/mesh/snapshot/write.ts'
import type { Change } from '../../src/review/change.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import { parsed } from '../changes.ts'
import { deployment, destinationRule, guide, guideWith, type Manifest, rule, to, virtualService } from '../manifests.ts'
import { copyOf } from '../scenarios/behind.ts'

const NEVER = new AbortController().signal
/** The ledger gives a write up after so long; the clock moves only where a review waits. */
const PENDING_MS = 3_000

/** A cluster that makes admitted writes only where it is told to, and whose watch shows nothing new. */
class Cluster implements State {
  readonly server = new Sandbox()
  readonly ledger: Ledger
  readonly reads: string[] = []
  readonly held: number[] = []
  waitedMs = 0
  readonly #shown
  readonly #due: { readonly atMs: number; readonly make: () => void }[] = []
  readonly #givenUp = new Map<PendingWrite, number>()

  constructor(manifests: readonly Manifest[]) {
    for (const manifest of manifests) this.server.load(parsed(manifest))
    this.#shown = copyOf(this.server.snapshot())
    this.ledger = new Ledger(this.#shown)
  }

  readonly facts: Facts = {
    read: (ref, signal) => {
      this.reads.push(formatRef(ref))
      return this.server.facts.read(ref, signal)
    },
    list: (query, signal) => {
      this.reads.push(`${query.kind} list`)
      return this.server.facts.list(query, signal)
    }
  }

  snapshot() {
    return this.#shown
  }

  pending() {
    return this.ledger.list()
  }

  admitted(write: Write): void {
    const pending = this.ledger.add(write)
    if (pending !== null) this.#givenUp.set(pending, this.waitedMs + PENDING_MS)
  }

  health() {
    return this.server.health()
  }

  /** The write is made once reviews have waited so long. */
  makes(change: Change, afterMs = 0): void {
    this.#due.push({ atMs: this.waitedMs + afterMs, make: () => this.server.admitted(change) })
    this.#pass(0)
  }

  review(manifest: Manifest | null, { removed, ...rest }: Partial<Change> & { removed?: Manifest } = {}, remainingMs = 10_000) {
    const change = this.change(manifest, removed, rest)
    const reviewer = createReviewer({
      state: this,
      policy: () => DEFAULT_POLICY,
      nowMs: () => this.waitedMs,
      onHeld: (heldMs) => this.held.push(heldMs),
      sleep: async (ms) => this.#pass(ms)
    })
    const deadlineMs = this.waitedMs + remainingMs
    const asker = { isBelieved: true, remainingMs: () => deadlineMs - this.waitedMs, held: () => undefined }
    return reviewer(change, NEVER, asker).then((decision) => ({ change, decision }))
  }

  /** What the API server would ask: with the object as it holds it. */
  change(manifest: Manifest | null, removed: Manifest | undefined, rest: Partial<Change>): Change {
    const object = parsed(manifest ?? (removed as Manifest))
    const before: MeshObject | null = this.server.snapshot().find(object.kind, object.namespace, object.name) ?? null
    const operation = manifest === null ? 'DELETE' : before === null ? 'CREATE' : 'UPDATE'
    const author = { username: 'alice', groups: [], manager: 'kubectl' }
    return { operation, ref: object, before, after: manifest === null ? null : object, dryRun: false, author, ...rest }
  }

  #pass(ms: number): void {
    this.waitedMs += ms
    for (const due of this.#due.splice(0)) {
      if (due.atMs <= this.waitedMs) due.make()
      else this.#due.push(due)
    }
    for (const [pending, atMs] of this.#givenUp) if (atMs <= this.waitedMs) this.ledger.forget(pending)
  }
}

const toV2 = virtualService([rule([to('v2')])])
const withoutV1 = destinationRule(['v2'])
const withoutV2 = destinationRule(['v1'])

async function after(first: Manifest, made: number | null, world: readonly Manifest[] = guide()) {
  const cluster = new Cluster(world)
  const { change, decision } = await cluster.review(first)
  if (decision.verdict === 'deny') throw new Error(decision.message)
  if (made !== null) cluster.makes(change, made)
  cluster.reads.length = 0
  return cluster
}

t.test('what another webhook refused is not believed: the subset that the route still carries stays', async (t) => {
  const cluster = await after(toV2, null)
  const { decision } = await cluster.review(withoutV1)
  t.match(decision, { verdict: 'deny', message: 'subset-in-use' })
  t.ok(cluster.waitedMs < 2 * PENDING_MS, 'it is known as soon as nothing is expected of the write any more')
})

t.test('what was made, and the watch has not shown, is seen by a read, without a wait', async (t) => {
  const cluster = await after(toV2, 0)
  t.equal((await cluster.review(withoutV1)).decision.verdict, 'allow')
  t.equal(cluster.waitedMs, 0)
  t.ok(cluster.reads.includes('VirtualService default/helloworld'))
})

t.test('what is on its way is waited for', async (t) => {
  const cluster = await after(toV2, 200)
  t.equal((await cluster.review(withoutV1)).decision.verdict, 'allow')
  t.ok(cluster.waitedMs >= 200 && cluster.waitedMs < PENDING_MS)
  t.strictSame(cluster.held, [cluster.waitedMs])
})

t.test('what may yet take away what a route is to rely on makes the route wait, and refuses it once it has', async (t) => {
  const cluster = await after(withoutV2, 200)
  t.match((await cluster.review(toV2)).decision, { verdict: 'deny', message: 'undefined-subset' })
  t.ok(cluster.waitedMs >= 200 && cluster.waitedMs < PENDING_MS)
})

t.test('a harmless route is admitted once nothing is expected of such a write any more', async (t) => {
  const cluster = await after(withoutV2, null)
  t.match((await cluster.review(toV2)).decision, { verdict: 'allow', warnings: [] })
  t.ok(cluster.waitedMs >= PENDING_MS)
})

t.test('where the deadline comes first, what is stored decides, with a warning or a denial where that is asked for', async (t) => {
  const route = await after(withoutV2, null)
  t.match((await route.review(toV2, {}, 1500)).decision, {
    verdict: 'warn',
    warnings: [/^DestinationRule default\/helloworld was admitted a moment ago/]
  })
  t.ok(route.waitedMs <= 500)
  const removal = await after(toV2, null)
  t.match((await removal.review(withoutV1, {}, 1500)).decision, { verdict: 'deny', message: 'subset-in-use' })
})

t.test('a dry run is answered at once, by what is stored', async (t) => {
  const cluster = await after(toV2, null)
  t.equal((await cluster.review(withoutV1, { dryRun: true })).decision.verdict, 'warn')
  t.equal(cluster.waitedMs, 0)
})

t.test('of two such writes each may be made without the other', async (t) => {
  // Two rules of one host and namespace count together: the second brings back what the first takes away.
  const cluster = await after(withoutV2, null)
  await cluster.review(destinationRule(['v2'], {}, { name: 'other' }))
  const { decision } = await cluster.review(toV2, {}, 1500)
  t.match(decision, { verdict: 'warn', warnings: [/was admitted a moment ago/] })
})

t.test('a Deployment that may yet go has no Pods for whoever is to rely on them', async (t) => {
  const cluster = await after(deployment('v2', { replicas: 0 }), 100)
  t.match((await cluster.review(toV2)).decision, { verdict: 'deny', message: 'unready-destination' })
  t.ok(cluster.waitedMs >= 100 && cluster.waitedMs < PENDING_MS)
})

t.test('a weight step between carried destinations neither reads nor waits, whatever is pending', async (t) => {
  const split = (v1: number, v2: number) => virtualService([rule([to('v1', v1), to('v2', v2)])])
  const cluster = await after(destinationRule(['v1', 'v2', 'v3']), null, guideWith(split(90, 10)))
  await cluster.review(deployment('v3'))
  cluster.reads.length = 0
  t.equal((await cluster.review(split(50, 50))).decision.verdict, 'allow')
  t.strictSame([cluster.reads, cluster.waitedMs], [[], 0])
})

t.test('the object that is written is judged as the API server shows it, whatever is pending of it', async (t) => {
  const cluster = await after(toV2, null)
  t.equal((await cluster.review(virtualService([rule([to('v1', 50), to('v2', 50)])]))).decision.verdict, 'allow')
  t.equal(cluster.waitedMs, 0)
})

t.test('many pending writes are weighed within bounds', async (t) => {
  const cluster = await after(toV2, null)
  for (let count = 0; count < 40; count++) await cluster.review(destinationRule(['v2'], {}, { name: `rule-${count}` }))
  cluster.reads.length = 0
  t.match((await cluster.review(withoutV1, {}, 1000)).decision, { verdict: 'deny', message: 'subset-in-use' })
  t.ok(cluster.reads.length < 200)
})
