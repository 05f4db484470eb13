/** What was most likely meant by a name that nobody here knows, told on standard error: the command goes on, for a name may be new. */
import { hostCovers, resolveHost } from '../mesh/names/hosts.ts'
import { hostsOf } from '../mesh/routing/routes.ts'
import type { Context } from '../mesh/routing/table.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { nearest } from '../nearest.ts'
import type { Io } from '../output/io.ts'
import { line } from '../output/text.ts'

/** `, did you mean X?`-like end of a sentence; '' where nothing is near. */
export function meant(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  return near === null ? '' : `; did you mean ${near}?`
}

/** Tells of a host that none of these contexts knows, by no name that a client in `namespace` may use. */
export function tellUnknownHost(snapshot: Snapshot, contexts: readonly Context[], host: string, namespace: string, io: Io): void {
  const known = [...new Set(contexts.flatMap((context) => hostsOf(snapshot, context)))]
  const full = resolveHost(host, namespace, snapshot.settings.domain)
  if (known.some((each) => hostCovers(each, host) || each === full)) return
  // The first part of a Service's name may be all that was meant.
  const names = new Map(known.flatMap((each) => [[each.split('.')[0] ?? each, each] as const, [each, each] as const]))
  const near = nearest(host, [...names.keys()])
  io.err(line([`nobody here knows a host ${host}`, near === null ? '' : `; did you mean ${names.get(near)}?`], false))
}

/** A client may well stand in a namespace of which no file holds anything: it sees what all such clients see. */
export function tellUnknownNamespace(snapshot: Snapshot, namespace: string, io: Io): void {
  const known = [...snapshot.all('Namespace')].map(({ name }) => name)
  const end = known.includes(namespace) ? '' : meant(namespace, known)
  if (end !== '') io.err(line([`no object is in a namespace ${namespace}${end}`], false))
}

/** Tells of a subset that no DestinationRule of the host defines, where another is near. */
export function tellUnknownSubset(snapshot: Snapshot, host: string, subset: string, io: Io): void {
  const known = [...snapshot.all('DestinationRule')]
    .filter((rule) => rule.host === resolveHost(host, rule.namespace, snapshot.settings.domain))
    .flatMap(({ subsets }) => subsets.map(({ name }) => name))
  const end = known.includes(subset) ? '' : meant(subset, known)
  if (end !== '') io.err(line([`${host} has no subset ${subset}${end}`], false))
}
