/**
 * Fields of a VirtualService that stand where the API knows none, such as `subset` beside `destination`: the API server drops them before
 * any webhook is called (2.1). They show in a file, and at admission only in kubectl's last-applied-configuration annotation.
 */

import type { Path } from '../mesh/names/path.ts'
import { isRecord } from './fields.ts'

/** A field that its author wrote where the API knows no such field, so that the API server drops it without a word (2.1). */
export interface MisplacedField {
  readonly path: Path
  readonly field: string
  /** `object`: it stands in the manifest itself; `last-applied`: only kubectl's annotation still shows it. */
  readonly source: 'object' | 'last-applied'
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'
/** Fields of `destination`, written beside it; and `weight`, which belongs beside it, written inside. */
const OF_DESTINATION = ['host', 'subset', 'port']

export function misplacedFields(raw: unknown): MisplacedField[] {
  const inObject = find(raw).map((place) => ({ ...place, source: 'object' as const }))
  if (inObject.length > 0) return inObject
  return find(lastApplied(raw)).map((place) => ({ ...place, source: 'last-applied' as const }))
}

function find(raw: unknown): { path: Path; field: string }[] {
  if (!isRecord(raw) || !isRecord(raw['spec'])) return []
  const { spec } = raw
  return ['http', 'tls', 'tcp'].flatMap((protocol) => each(spec[protocol], ['spec', protocol], misplacedInRule))
}

function misplacedInRule(rule: Record<string, unknown>, path: Path): { path: Path; field: string }[] {
  return each(rule['route'], [...path, 'route'], (route, at) => {
    if (!isRecord(route['destination'])) return []
    const beside = OF_DESTINATION.filter((field) => Object.hasOwn(route, field)).map((field) => ({ path: [...at, field], field }))
    return Object.hasOwn(route['destination'], 'weight') ? [...beside, { path: [...at, 'destination', 'weight'], field: 'weight' }] : beside
  })
}

function each<T>(list: unknown, path: Path, visit: (value: Record<string, unknown>, path: Path) => T[]): T[] {
  if (!Array.isArray(list)) return []
  return list.flatMap((value: unknown, at) => (isRecord(value) ? visit(value, [...path, at]) : []))
}

function lastApplied(raw: unknown): unknown {
  if (!isRecord(raw) || !isRecord(raw['metadata']) || !isRecord(raw['metadata']['annotations'])) return undefined
  const text = raw['metadata']['annotations'][LAST_APPLIED]
  if (typeof text !== 'string') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the annotation is free text to the API server; one that is not JSON says nothing
  }
}
