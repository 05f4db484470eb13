/** Who asks: as a state shows it, and as a command line names it. */
import { type Labels, sameLabels } from '../mesh/names/labels.ts'
import type { Context } from '../mesh/routing/table.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'

/** The contexts that a world shows: each namespace, with the labels that something in it asks its clients for, and each gateway's Pods. */
export function contextsOf(snapshot: Snapshot): Context[] {
  const namespaces = new Set(['default'])
  for (const { name } of snapshot.all('Namespace')) namespaces.add(name)
  for (const { namespace } of snapshot.all('Service')) namespaces.add(namespace)
  for (const { namespace } of snapshot.all('VirtualService')) namespaces.add(namespace)
  const labelSets = labelsAskedFor(snapshot)
  const clients = [...namespaces].sort().flatMap((namespace) => labelSets.map((labels) => ({ kind: 'mesh' as const, namespace, labels })))
  return [...clients, ...gatewayContexts(snapshot)]
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

/** The Pods that a Gateway selects, by namespace and labels; where there are none, one in the Gateway's namespace with its selector. */
function gatewayContexts(snapshot: Snapshot): Context[] {
  const contexts: Context[] = []
  for (const { namespace, selector } of snapshot.all('Gateway')) {
    const pods = [...snapshot.podsAnywhere(selector)]
    const proxies =
      pods.length > 0
        ? pods.map((pod) => ({ namespace: pod.namespace, labels: withoutHash(pod.labels) }))
        : [{ namespace, labels: selector }]
    for (const proxy of proxies) {
      const isKnown = contexts.some((known) => known.namespace === proxy.namespace && sameLabels(known.labels, proxy.labels))
      if (!isKnown) contexts.push({ kind: 'gateway', ...proxy })
    }
  }
  return contexts
}

function withoutHash({ 'pod-template-hash': _, ...labels }: Labels): Labels {
  return labels
}
