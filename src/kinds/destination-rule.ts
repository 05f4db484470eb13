/** DestinationRules: which subsets a host has. */
import { hostKey, resolveHost } from '../mesh/names/hosts.ts'
import { type Labels, sameLabels } from '../mesh/names/labels.ts'
import type { Path } from '../mesh/names/path.ts'
import type { Fields } from './fields.ts'
import type { Identity } from './identity.ts'
import { defineKind, istioApi } from './kind.ts'
import { exportRefusals, isLabel, wildcardDomainRefusals } from './refusals.ts'

/** What clients do by a traffic policy: `tls.mode` for one port, or where `port` is null for all others. */
export interface ClientTls {
  readonly port: number | null
  readonly mode: string
  readonly path: Path
}

/** `loadBalancer.simple` for one port, '' where that port's settings name none, or where `port` is null for all others. */
export interface LoadBalancer {
  readonly port: number | null
  readonly simple: string
}

/** What clients do with the endpoints, of a rule or a subset. */
interface TrafficPolicy {
  readonly tls: readonly ClientTls[]
  readonly loadBalancers: readonly LoadBalancer[]
}

export interface Subset extends TrafficPolicy {
  readonly path: Path
  readonly name: string
  readonly labels: Labels
}

export interface DestinationRule extends Identity, TrafficPolicy {
  readonly kind: 'DestinationRule'
  /** Completed, its letters as they are written (1.5). */
  readonly host: string
  readonly exportTo: readonly string[]
  readonly subsets: readonly Subset[]
  /** matchLabels of spec.workloadSelector; null where absent. */
  readonly workloadSelector: Labels | null
  readonly hasTrafficPolicy: boolean
}

export const destinationRules = defineKind({
  kind: 'DestinationRule',
  api: istioApi('destinationrules'),
  judged: true,
  parse: ({ spec }, identity, domain): DestinationRule => ({
    kind: 'DestinationRule',
    ...identity,
    host: resolveHost(spec.string('host'), identity.namespace, domain),
    exportTo: spec.strings('exportTo'),
    subsets: spec
      .children('subsets')
      .map((subset) => ({ path: subset.path, name: subset.string('name'), labels: subset.labels('labels'), ...trafficPolicyOf(subset) })),
    workloadSelector: spec.child('workloadSelector')?.labels('matchLabels') ?? null,
    ...trafficPolicyOf(spec),
    hasTrafficPolicy: spec.has('trafficPolicy')
  }),
  refusals,
  indexes: {
    /** DestinationRules by the `hostKey` of their host. */
    destinationRuleByHost: ({ host }) => [hostKey(host)],
    /** Those that say what clients speak, under ''. */
    destinationRuleWithTls: ({ tls, subsets }) => (tls.length > 0 || subsets.some((subset) => subset.tls.length > 0) ? [''] : [])
  },
  reach: ({ host }) => [{ through: 'senders', host }],
  takesAway,
  provides: () => true,
  audited: 'reach'
})

/** A rule's or a subset's own traffic policy, ports first. */
function trafficPolicyOf(owner: Fields): TrafficPolicy {
  const policy = owner.child('trafficPolicy')
  if (policy === null) return { tls: [], loadBalancers: [] }
  const levels = policy
    .children('portLevelSettings')
    .map((level) => ({ at: level, port: level.child('port')?.number('number', 0) ?? null }))
  const all = [...levels, { at: policy, port: null }]
  return {
    tls: all.flatMap(({ at, port }) => {
      const tls = at.child('tls')
      return tls === null ? [] : [{ port, mode: String(tls.numberOrString('mode', 'DISABLE')), path: tls.path }]
    }),
    loadBalancers: all.flatMap(({ at, port }) => {
      const balancer = at.child('loadBalancer')
      return balancer === null && port === null ? [] : [{ port, simple: String(balancer?.numberOrString('simple', '') ?? '') }]
    })
  }
}

/** One that only gains subsets hides and removes none; a new one may hide those of others. */
function takesAway(before: DestinationRule | null, after: DestinationRule | null): boolean {
  if (before === null || after === null) return true
  const place = ({ host, exportTo, workloadSelector }: DestinationRule) => JSON.stringify([host, exportTo, workloadSelector])
  if (place(before) !== place(after)) return true
  const kept = Map.groupBy(after.subsets, ({ name }) => name)
  return before.subsets.some(({ name, labels }) => !(kept.get(name) ?? []).some((each) => sameLabels(each.labels, labels)))
}

function* refusals(rule: DestinationRule): Iterable<string> {
  yield* wildcardDomainRefusals(rule.host)
  const known = new Set<string>()
  for (const { name } of rule.subsets) {
    if (known.has(name)) yield `duplicate subset names: ${name}`
    known.add(name)
    if (name === '') yield 'subset name cannot be empty'
    else if (!isLabel(name)) yield `subset name is invalid: ${name}`
  }
  yield* exportRefusals(rule.exportTo, rule.namespace, false)
  const beyond = rule.exportTo.some((name) => name !== '.' && name !== rule.namespace)
  if (rule.workloadSelector !== null && beyond)
    yield 'destination rule with workload selector cannot have exportTo beyond current namespace'
}
