/** What happens in one run, as plain data: who writes what and when, and what the network does. The same plan gives the same run. */
import type { Kind } from '../../src/kinds/index.ts'
import type { ApiRequest } from './request.ts'

export interface Step {
  /** After the answer to the writer's last step. */
  readonly waitMs: number
  readonly request: ApiRequest
  /** The seed of what meets this step on its way, so that it meets the same when others are left out. */
  readonly dice: number
  /** The client leaves then, answered or not. */
  readonly patienceMs?: number
}

/** One who writes: each step after the answer to the one before. */
export interface Writer {
  readonly name: string
  /** A release script ends with its first refusal. */
  readonly stopsAtRefusal: boolean
  readonly steps: readonly Step[]
}

export type Weather = { readonly atMs: number } & (
  | { readonly what: 'late'; readonly replica: number; readonly ms: number }
  | { readonly what: 'reset' | 'end' | 'cut' | 'silent'; readonly replica: number; readonly kind: Kind | null }
  | { readonly what: 'restart'; readonly replica: number }
  | { readonly what: 'down'; readonly replica: number; readonly forMs: number }
  | { readonly what: 'compact' }
  | { readonly what: 'flap'; readonly pod: number; readonly forMs: number }
)

export interface Plan {
  readonly seed: number
  readonly replicas: number
  readonly settleMs: number
  /** A Pod takes up to so long to start or stop. */
  readonly podMs: number
  /** One way between the API server and a replica takes up to so long, */
  readonly hopMs: number
  /** and a transaction of etcd. */
  readonly storeMs: number
  readonly pageLimit: number
  /** The share of the writes that a second webhook refuses, and how long it takes at most. */
  readonly refusals: number
  readonly refusalMs: number
  /** How many objects of a kind a namespace may have. */
  readonly quota: number
  readonly initial: readonly ApiRequest[]
  readonly writers: readonly Writer[]
  readonly weather: readonly Weather[]
}
