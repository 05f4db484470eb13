/** What one istiod's answers show, and since which of its pushes: numbers of one process, compared with no other's. */

import type { Sight } from './expectation.ts'
import { type DiscoveryResponse, readAssignments, readClusters, readRoutes } from './messages.ts'
import { pushNumber } from './push-version.ts'
import { TYPES } from './resource-types.ts'

/** Since when something is as it is now. */
interface Since {
  readonly isThere: boolean
  readonly push: number
  readonly atMs: number
  /**
   * Its push says nothing of the others'. An endpoint is told as soon as it is asked about, so what is there at first may have been told in an
   * earlier push or is still to be. And up to 1.30 a push of endpoints alone has the number of the push before (`Push`, `req.Full`).
   */
  readonly isVague: boolean
  /** When istiod had pushed twice more: a push that was being made just then does not have it. */
  passedMs: number | null
}

/** The first push with which each type of a proxy's resources has what is expected; 0 where nothing of that type is. */
export interface Needs {
  readonly cluster: number
  readonly endpoint: number
  readonly route: number
  /** When the last of it was seen. */
  readonly sinceMs: number
  /** The push that tells the others may still be to come. */
  readonly isUnsure: boolean
}

export class View {
  readonly #sights = new Map<string, Since>()
  readonly #watched = new Map<string, Sight>()
  readonly #nowMs: () => number
  #isAsked = false
  #lastPush = 0
  /** The latest that is known to be over. */
  #donePush = 0
  #pushes = 0

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** The latest push that this istiod has answered from. */
  get lastPush(): number {
    return this.#lastPush
  }

  /** How many of its pushes were seen. */
  get pushes(): number {
    return this.#pushes
  }

  /** How much is watched. */
  get size(): number {
    return this.#watched.size
  }

  /** True where there is more to ask for than before. */
  watch(sights: readonly Sight[]): boolean {
    const fresh = sights.filter((sight) => !this.#watched.has(keyOf(sight)))
    for (const sight of fresh) this.#watched.set(keyOf(sight), sight)
    return fresh.length > 0
  }

  /** The names to ask for, of one type. Beside a subset's cluster stands its host's: an answer without either was given before this was asked. */
  names(type: Sight['type']): string[] {
    const names = [...this.#watched.values()].filter((sight) => sight.type === type).map(({ name }) => name)
    return [...new Set(type === 'cluster' ? [...names, ...names.map(withoutSubset)] : names)]
  }

  /** Endpoints were asked for: the next of them are an answer, which tells nothing of a push. */
  asked(): void {
    this.#isAsked = true
  }

  /** Throws where the answer cannot be read. */
  take(response: DiscoveryResponse): void {
    const push = pushNumber(response.version)
    const isGrown = push > this.#donePush
    // A push tells clusters before endpoints; the debug interface, and endpoints themselves, are answered between pushes or end one.
    if (response.type === TYPES.debug || response.type === TYPES.endpoint) this.#donePush = Math.max(this.#donePush, push)
    if (push > this.#lastPush) {
      this.#lastPush = push
      for (const since of this.#sights.values()) since.passedMs ??= push > since.push + 1 ? this.#nowMs() : null
      this.#pushes += 1
    }
    if (response.type === TYPES.cluster) {
      const names = readClusters(response.resources)
      this.#note('cluster', push, ({ name }) => names.has(name) || (names.has(withoutSubset(name)) ? false : null))
    } else if (response.type === TYPES.endpoint) {
      const assignments = readAssignments(response.resources)
      this.#note(
        'endpoint',
        push,
        ({ name }) => (assignments.has(name) ? (assignments.get(name) ?? 0) > 0 : null),
        isGrown && !this.#isAsked
      )
      this.#isAsked = false
    } else if (response.type === TYPES.route) {
      const routes = readRoutes(response.resources)
      this.#note('route', push, (sight) => (sight.type === 'route' ? (routes.get(sight.name)?.has(sight.cluster) ?? null) : null))
    }
  }

  /** null while not everything is seen. */
  needs(sights: readonly Sight[]): Needs | null {
    const needs = { cluster: 0, endpoint: 0, route: 0, sinceMs: 0, isUnsure: false }
    for (const sight of sights) {
      const since = this.#sights.get(keyOf(sight))
      if (since === undefined || since.isThere !== sight.isThere) return null
      needs[sight.type] = Math.max(needs[sight.type], since.push + (since.isVague ? 2 : 0))
      needs.sinceMs = Math.max(needs.sinceMs, since.isVague ? (since.passedMs ?? 0) : since.atMs)
      needs.isUnsure ||= since.isVague && since.passedMs === null
    }
    return needs
  }

  /** `isThere` says null where the answer says nothing. */
  #note(type: Sight['type'], push: number, isThere: (sight: Sight) => boolean | null, isTold = true): void {
    for (const [key, sight] of this.#watched) {
      if (sight.type !== type) continue
      const now = isThere(sight)
      const known = this.#sights.get(key)
      // A push tells endpoints anew, as they were or not: that is the one that tells the others.
      if (now === null || (known?.isThere === now && !(known.isVague && isTold && push > known.push))) continue
      const isVague = !isTold || (type === 'endpoint' && known === undefined)
      this.#sights.set(key, { isThere: now, push, atMs: this.#nowMs(), isVague, passedMs: null })
    }
  }
}

/** `outbound|80||host` of `outbound|80|v1|host`. */
function withoutSubset(cluster: string): string {
  return cluster.replace(/^(outbound\|\d+\|)[^|]*/, '$1')
}

function keyOf(sight: Sight): string {
  return `${sight.type} ${sight.name} ${sight.type === 'route' ? sight.cluster : ''}`
}
