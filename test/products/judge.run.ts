/** Judges writes of a third party, and audits the cluster, beside what strangers wrote; a line of JSON for each product. For a process of its own, whose memory is bounded. */
import { everyTarget } from '../../src/mesh/gaps/affected.ts'
import { Meter, metered } from '../../src/mesh/snapshot/metered.ts'
import { openGaps } from '../../src/review/audit.ts'
import { decide } from '../../src/review/decide.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { apply, worldOf } from '../changes.ts'
import { destinationRule, guide, rule, to, virtualService } from '../manifests.ts'
import { PRODUCTS, strangersWrote } from './products.ts'

/** The audit looks at one after the other, and others are answered in between. */
const MOST_TARGETS = 20

export interface Judged {
  readonly product: string
  /** Of the third party's writes: one that takes what carries, one that adds, and one of its routes. */
  readonly verdicts: readonly string[]
  readonly notJudged: string
  readonly warnings: number
  /** Of work: of the dearest of the writes, and of the audit between two of its targets. */
  readonly writeSteps: number
  readonly auditSteps: number
}

/** Counts and grants everything. */
class Counter extends Meter {
  #steps = 0

  constructor() {
    super(Number.POSITIVE_INFINITY)
  }

  override charge(steps: number): void {
    this.#steps += steps
  }

  take(): number {
    const steps = this.#steps
    this.#steps = 0
    return Math.round(steps)
  }
}

function judged(product: string): Judged {
  const world = worldOf([...guide(), ...strangersWrote(PRODUCTS[product] ?? (() => []))])
  const counter = new Counter()
  const snapshot = metered(world, counter)
  const written = [destinationRule(['v2']), destinationRule(['v1', 'v2', 'v3']), virtualService([rule([to('v2')])])].map((manifest) => {
    const decision = decide(apply(world, manifest), snapshot, DEFAULT_POLICY, 0)
    return { decision, steps: counter.take() }
  })
  return {
    product,
    verdicts: written.map(({ decision }) => decision.verdict),
    notJudged: written[0]?.decision.auditAnnotations['not-judged'] ?? '',
    warnings: Math.max(...written.map(({ decision }) => decision.warnings.length)),
    writeSteps: Math.max(...written.map(({ steps }) => steps)),
    auditSteps: audited(snapshot, counter)
  }
}

function audited(snapshot: ReturnType<typeof metered>, counter: Counter): number {
  let most = 0
  let targets = 0
  for (const target of everyTarget(snapshot)) {
    openGaps(snapshot, [target], DEFAULT_POLICY)
    most = Math.max(most, counter.take())
    if (++targets === MOST_TARGETS) break
  }
  return most
}

for (const product of Object.keys(PRODUCTS)) process.stdout.write(`${JSON.stringify(judged(product))}\n`)
