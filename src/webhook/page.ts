/** What the webhook shows of itself on its page: the state that it judges by, and the writes that it was lately asked about. */
import type { OpenGap } from '../cluster/gap-book.ts'
import { type Config, policyOf } from '../config.ts'
import { formatRef } from '../kinds/index.ts'
import { everyTarget } from '../mesh/gaps/affected.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { State } from '../mesh/snapshot/state.ts'
import { createPage } from '../page/page.ts'
import type { ShownGap, ShownWrite } from '../page/shown.ts'
import { openGaps } from '../review/audit.ts'
import type { Change } from '../review/change.ts'
import type { Decision } from '../review/decision.ts'
import { describeGap } from './report-gaps.ts'

const MOST_REFUSALS = 50
const MOST_HELD = 200

/** Writes of this replica since its start: the last refusals, and what is held. A dry run leaves no trace. */
export class RecentWrites {
  readonly #nowMs: () => number
  #refusals: readonly ShownWrite[] = []
  readonly #held = new Map<Change, ShownWrite>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  refused(change: Change, { message, observed }: Decision): void {
    if (change.dryRun) return
    this.#refusals = [this.#shown(change, message.replace(/^hitless: /, ''), !observed), ...this.#refusals].slice(0, MOST_REFUSALS)
  }

  hold(change: Change, held: 1 | -1): void {
    if (held === -1) this.#held.delete(change)
    else if (this.#held.size < MOST_HELD) this.#held.set(change, this.#shown(change, '', false))
  }

  refusals(): readonly ShownWrite[] {
    return this.#refusals
  }

  held(): readonly ShownWrite[] {
    return [...this.#held.values()]
  }

  #shown({ operation, ref, author }: Change, message: string, refused: boolean): ShownWrite {
    return { atMs: this.#nowMs(), write: `${operation} ${formatRef(ref)}`, user: author.username, message, refused }
  }
}

export interface WebhookPageOptions {
  readonly config: () => Config
  readonly state: State
  readonly recent: RecentWrites
  /** null on the embedded cluster: then they are looked for where somebody asks. */
  readonly gaps: (() => readonly OpenGap[] | null) | null
  readonly nowMs: () => number
}

/** The page on the port for probes; whoever reaches it sees names of a real cluster's objects only where policy shows them to everybody. */
export function webhookPage({ config, state, recent, gaps, nowMs }: WebhookPageOptions) {
  return createPage({
    what: gaps === null ? 'embedded cluster' : 'webhook',
    snapshot: () => state.snapshot(),
    gaps: () => (gaps === null ? gapsOf(state.snapshot(), config()) : gaps())?.map(shownGap) ?? null,
    refusals: () => recent.refusals(),
    held: () => recent.held(),
    showNames: () => gaps === null || config().disclosure.objectNames,
    nowMs
  })
}

function gapsOf(snapshot: Snapshot, config: Config): OpenGap[] {
  return openGaps(snapshot, [...everyTarget(snapshot)], policyOf(config)).map((found) => describeGap(found, snapshot))
}

/** A gap as the page has it. */
export function shownGap({ rule, host, object, message }: OpenGap): ShownGap {
  return { rule, host, object: object === null ? null : formatRef(object), text: message }
}
