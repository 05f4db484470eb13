/** What the proof's pages are made of, kept in docs/proof.json: the last result of each script, of each length of settling, of each release by a controller, and with each istiod. */
import { type Account, compared, faultsOf, isAsPredicted } from './account.ts'
import type { ControlledRelease } from './controllers.ts'
import type { SettleRow } from './settle.ts'
import type { VersionRow } from './versions.ts'

interface Tally {
  readonly requests: number
  readonly failed: number
}

export interface ReleaseRow {
  /** The day of the run. */
  readonly date: string
  readonly script: string
  readonly title: string
  readonly careless: boolean
  readonly writes: number
  readonly refused: number
  readonly without: Tally
  readonly with: Tally
  /** With hitless: failures while the proxies took an admitted write over, and how long after its answer the last one came. */
  readonly stray: { readonly failed: number; readonly lastMs: number | null }
  readonly predictions: {
    /** Shares compared with what Envoy did: all, those above 0, and those that were not as predicted. */
    readonly compared: number
    readonly open: number
    readonly wrong: number
    /** Refused writes that were made all the same, and those among them that were refused for the sake of later ones. */
    readonly forced: number
    readonly forLater: number
  }
  readonly faults: readonly string[]
}

export interface ProofRecord {
  readonly releases: readonly ReleaseRow[]
  readonly settle: readonly (SettleRow & { readonly date: string })[]
  readonly controlled: readonly (ControlledRelease & { readonly date: string })[]
  readonly versions: readonly (VersionRow & { readonly date: string })[]
}

/** A script's row, from its accounts in every way in which it was played. */
export function releaseRow(accounts: readonly Account[], date: string): ReleaseRow | null {
  const as = (way: Account['way']) => accounts.find((account) => account.way === way)
  const without = as('without')
  const guarded = as('with')
  if (without === undefined || guarded === undefined) return null
  const forced = as('forced')?.writes.filter(({ verdict }) => verdict === 'refused') ?? []
  const shares = accounts.flatMap(compared).map(({ own }) => own)
  const strays = guarded.writes.map(({ converging }) => converging)
  return {
    date,
    script: guarded.script,
    title: guarded.title,
    careless: guarded.careless,
    writes: guarded.writes.length,
    refused: guarded.writes.filter(({ verdict }) => verdict === 'refused').length,
    without: { requests: without.requests, failed: without.failed },
    with: { requests: guarded.requests, failed: guarded.failed },
    stray: {
      failed: strays.reduce((sum, { failed }) => sum + failed, 0),
      lastMs: strays.reduce<number | null>((last, { lastMs }) => (lastMs === null ? last : Math.max(last ?? 0, Math.round(lastMs))), null)
    },
    predictions: {
      compared: shares.length,
      open: shares.filter(({ predicted }) => (predicted?.share ?? 0) > 0).length,
      wrong: shares.filter((own) => !isAsPredicted(own)).length,
      forced: forced.length,
      forLater: forced.filter(({ steady }) => steady.every(({ predicted }) => predicted?.share === 0)).length
    },
    faults: accounts.flatMap(faultsOf)
  }
}

/** The record with rows in place of those of the same script, of the same mesh and length, of the same release by a controller in the same mesh, or of the same istiod. */
export function updated(record: ProofRecord, { releases, settle, controlled, versions }: ProofRecord): ProofRecord {
  const keyOf = ({ mesh, settle: length }: SettleRow) => `${mesh} ${length}`
  return {
    releases: merged(record.releases, releases, ({ script }) => script),
    settle: merged(record.settle, settle, keyOf),
    controlled: merged(record.controlled, controlled, ({ mesh, name, way }) => `${mesh} ${name} ${way}`),
    versions: merged(record.versions, versions, ({ istiod }) => istiod)
  }
}

function merged<T>(old: readonly T[], fresh: readonly T[], keyOf: (row: T) => string): T[] {
  const rows = new Map(old.map((row) => [keyOf(row), row]))
  for (const row of fresh) rows.set(keyOf(row), row)
  return [...rows.values()]
}
