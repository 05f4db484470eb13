/** Which proxies have a change, by what istiod sent them and what they acknowledged. */
import { ROUTING, TYPES } from './resource-types.ts'
import type { ProxyStatus, Watched } from './syncz.ts'
import type { Needs } from './view.ts'

export interface Standing {
  /** Proxies that watch what the change is in. */
  readonly proxies: number
  /** Those that have not acknowledged it. */
  readonly late: readonly string[]
  /** Those that rejected it, with their own words. */
  readonly rejected: readonly { readonly proxy: string; readonly error: string }[]
}

/** Streams of hitless itself, which stand among istiod's proxies: `NAME.NAMESPACE`. */
export const OWN_NAME = 'hitless-settle'

export function isOwn({ proxy }: ProxyStatus): boolean {
  return proxy.startsWith(`${OWN_NAME}-`)
}

/**
 * Where the proxies of one istiod stand. istiod sends nothing to a proxy that it does not take to depend on a change, and such a proxy
 * stays at an older push; where `isOverdue`, one that has answered to all it was sent counts as such.
 */
export function standing(statuses: readonly ProxyStatus[], needs: Needs, isOverdue: boolean): Standing {
  const late: string[] = []
  const rejected: { proxy: string; error: string }[] = []
  let proxies = 0
  for (const status of statuses) {
    if (isOwn(status)) continue
    const { proxy, types } = status
    const wanted = wantedOf(types, needs)
    if (wanted.length === 0) continue
    proxies += 1
    const error = wanted.find(([watched, push]) => isRejected(watched, push))?.[0].error
    if (error !== undefined) rejected.push({ proxy: shownName(proxy), error })
    else if (!wanted.every(([watched, push]) => has(watched, push)) && !(isOverdue && hasAnswered(types))) late.push(shownName(proxy))
  }
  return { proxies, late, rejected }
}

/** What of a proxy must have come how far. A new cluster is of use once its endpoints came, for which Envoy asks when it has taken the cluster. */
function wantedOf(types: ProxyStatus['types'], { cluster, endpoint, route }: Needs): [Watched, number][] {
  const wanted: [string, number][] = [
    [TYPES.cluster, cluster],
    [TYPES.endpoint, Math.max(cluster, endpoint)],
    [TYPES.route, route]
  ]
  return wanted.flatMap(([type, push]) => {
    const watched = types.get(type)
    return watched === undefined || push === 0 ? [] : [[watched, push] satisfies [Watched, number]]
  })
}

function has({ acked, isAnswered }: Watched, push: number): boolean {
  return acked >= push && (isAnswered || acked > push)
}

function isRejected({ acked, sent, error }: Watched, push: number): boolean {
  return error !== '' && sent >= push && acked < push
}

function hasAnswered(types: ProxyStatus['types']): boolean {
  return ROUTING.every((type) => {
    const watched = types.get(type)
    return watched === undefined || watched.isAnswered || watched.error !== ''
  })
}

/** `NAMESPACE/NAME`; a Pod's name has no dot. */
function shownName(proxy: string): string {
  const dot = proxy.lastIndexOf('.')
  return dot === -1 ? proxy : `${proxy.slice(dot + 1)}/${proxy.slice(0, dot)}`
}
