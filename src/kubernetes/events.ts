/** Kubernetes Events: what `kubectl describe` shows below an object. */

import { type Kind, kindModule, type ObjectRef } from '../kinds/index.ts'
import type { Connection } from './connection.ts'

export interface Report {
  readonly regarding: ObjectRef & { readonly uid: string }
  readonly type: 'Normal' | 'Warning'
  /** UpperCamelCase, at most 128 characters. */
  readonly reason: string
  readonly action: string
  readonly note: string
}

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
  const { regarding, type, reason, action, note } = report
  const { kind, namespace, name, uid } = regarding
  await connection.send(
    'POST',
    `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
    {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { generateName: `${name.slice(0, 200)}-`, namespace },
      eventTime: new Date(nowMs).toISOString().replace('Z', '000Z'),
      reportingController: 'hitless.io/webhook',
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
