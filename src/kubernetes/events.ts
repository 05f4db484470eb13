/** Kubernetes Events: what `kubectl describe` shows below an object. */

import { Fields, InvalidField } from '../kinds/fields.ts'
import { type Kind, kindModule, type ObjectRef } from '../kinds/index.ts'
import type { Connection } from './connection.ts'
import { pages } from './resources.ts'

export interface Report {
  /** The uid is empty for an object that is not there yet. */
  readonly regarding: ObjectRef & { readonly uid: string }
  readonly type: 'Normal' | 'Warning'
  /** UpperCamelCase, at most 128 characters. */
  readonly reason: string
  readonly action: string
  readonly note: string
  readonly annotations?: Readonly<Record<string, string>>
}

const CONTROLLER = 'hitless.io/webhook'

/** Reasons of Events about reviews. */
export const REFUSED = 'Refused'
export const WOULD_BE_REFUSED = 'WouldBeRefused'
/** Annotations of such Events: who wrote, and which rules refuse it, parted by commas. */
export const USER = 'hitless.io/user'
export const RULES = 'hitless.io/rules'

/** An Event's note may have as many bytes. */
const MOST_NOTE = 1024

/** Writes one Event beside its object. `instance` names the replica that writes it. */
export async function writeEvent(
  connection: Connection,
  report: Report,
  instance: string,
  nowMs: number,
  signal: AbortSignal
): Promise<void> {
  const { regarding, type, reason, action, note, annotations = {} } = report
  const { kind, namespace, name, uid } = regarding
  // The API server wants Events about cluster-wide objects there.
  const place = namespace === '' ? 'default' : namespace
  await connection.send(
    'POST',
    `/apis/events.k8s.io/v1/namespaces/${place}/events`,
    {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { generateName: `${name.slice(0, 200)}-`, namespace: place, annotations },
      eventTime: new Date(nowMs).toISOString().replace('Z', '000Z'),
      reportingController: CONTROLLER,
      reportingInstance: instance,
      type,
      reason,
      action,
      note: Buffer.from(note)
        .subarray(0, MOST_NOTE)
        .toString('utf8')
        .replace(/\uFFFD+$/, ''),
      regarding: { apiVersion: apiVersionOf(kind), kind, namespace, name, uid }
    },
    signal
  )
}

function apiVersionOf(kind: Kind): string {
  const { group, versions } = kindModule(kind).api
  const [version = 'v1'] = versions
  return group === '' ? version : `${group}/${version}`
}

/** An Event about a review, as it is stored. */
export interface RefusalEvent {
  /** RFC 3339. */
  readonly time: string
  readonly user: string
  readonly operation: string
  readonly object: { readonly kind: string; readonly namespace: string; readonly name: string }
  readonly rules: readonly string[]
  /** False where hitless only observed. */
  readonly refused: boolean
  readonly message: string
}

/** The refusals that Events tell of, in one namespace or ('') in all: those of the last hour, unless the API server keeps Events for longer. */
export async function refusalEvents(connection: Connection, namespace: string, signal: AbortSignal): Promise<RefusalEvent[]> {
  const path = namespace === '' ? '/api/v1/events' : `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`
  const found: RefusalEvent[] = []
  for await (const { items } of pages(connection, path, { fieldSelector: `reportingComponent=${CONTROLLER}` }, signal)) {
    found.push(...items.flatMap((item) => refusalOf(item) ?? []))
  }
  return found
}

/** Null for an Event about something else, or of another form: whoever may write Events can write any. */
function refusalOf(item: unknown): RefusalEvent | null {
  try {
    const event = new Fields(item)
    const reason = event.string('reason')
    if (reason !== REFUSED && reason !== WOULD_BE_REFUSED) return null
    const annotations = event.child('metadata')?.child('annotations')
    const object = event.child('involvedObject')
    return {
      time: event.string('eventTime'),
      user: annotations?.string(USER) ?? '',
      operation: event.string('action'),
      object: { kind: object?.string('kind') ?? '', namespace: object?.string('namespace') ?? '', name: object?.string('name') ?? '' },
      rules: (annotations?.string(RULES) ?? '').split(',').filter((rule) => rule !== ''),
      refused: reason === REFUSED,
      message: event.string('message')
    }
  } catch (error) {
    if (error instanceof InvalidField) return null
    throw error
  }
}
