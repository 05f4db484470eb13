/** Who asks: as a state shows it, and as a command line names it. */
import { HitlessError } from '../errors.ts'
import { gatewayProxies } from '../mesh/gaps/contexts.ts'
import { type Labels, sameLabels } from '../mesh/names/labels.ts'
import { everyVirtualService } from '../mesh/routing/gateway-api/compiled.ts'
import type { Context } from '../mesh/routing/table.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'

/** The contexts that a world shows: each namespace, with the labels that something in it asks its clients for, and each gateway's Pods. */
export function contextsOf(snapshot: Snapshot): Context[] {
  const namespaces = new Set(['default'])
  for (const { name } of snapshot.all('Namespace')) namespaces.add(name)
  for (const { namespace } of snapshot.all('Service')) namespaces.add(namespace)
  for (const { namespace } of everyVirtualService(snapshot)) namespaces.add(namespace)
  const labelSets = labelsAskedFor(snapshot)
  const clients = [...namespaces].sort().flatMap((namespace) => labelSets.map((labels) => ({ kind: 'mesh' as const, namespace, labels })))
  return [...clients, ...gatewayProxies(snapshot)]
}

/** A context of the command line, as `parseContext` reads it; throws HITLESS_USAGE where it is none. */
export function contextNamed(kind: Context['kind'], text: string): Context {
  const context = parseContext(kind, text)
  if (context === null) throw new HitlessError('HITLESS_USAGE', `${text} is no client; write namespace or namespace{label=value,...}`)
  return context
}

/** A context of the command line: `prod`, `prod{app=web,version=v1}`; null where it is no such thing. */
export function parseContext(kind: Context['kind'], text: string): Context | null {
  const [, namespace, pairs = ''] = /^([a-z0-9-]+)(?:\{([^{}]*)\})?$/.exec(text) ?? []
  if (namespace === undefined) return null
  const entries = pairs === '' ? [] : pairs.split(',').map((pair) => pair.trim().split('='))
  if (entries.some((entry) => entry.length !== 2)) return null
  return { kind, namespace, labels: Object.fromEntries(entries) }
}

function labelsAskedFor(snapshot: Snapshot): Labels[] {
  const sets: Labels[] = [{}]
  const add = (labels: Labels | null) => {
    if (labels !== null && !sets.some((known) => sameLabels(known, labels))) sets.push(labels)
  }
  for (const { http, tls, tcp } of snapshot.all('VirtualService')) {
    for (const { match } of [...http, ...tls, ...tcp]) for (const { sourceLabels } of match) add(sourceLabels)
  }
  for (const { workloadSelector } of snapshot.all('DestinationRule')) add(workloadSelector)
  for (const { workloadSelector } of snapshot.all('Sidecar')) add(workloadSelector)
  return sets
}
