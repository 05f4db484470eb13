/** What the API server tells on a watch: parsed once, at the edge. */
import { isRecord } from '../kinds/fields.ts'
import { ApiError, readStatus } from '../kubernetes/connection.ts'
import type { LongLine } from '../kubernetes/lines.ts'
import { Malformed, type Metadata, readMetadata } from './mirror.ts'

/** The end of a streaming list (KEP-3157). */
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end'

export type WatchEvent =
  | { readonly type: 'put'; readonly object: unknown; readonly metadata: Metadata }
  | { readonly type: 'deleted'; readonly metadata: Metadata }
  /** The object is too long to be read. */
  | { readonly type: 'too-long'; readonly metadata: Metadata }
  /** Up to here everything was told; `endsList` where it closes a list that came as a stream. */
  | { readonly type: 'bookmark'; readonly resourceVersion: string; readonly endsList: boolean }

/** The texts by which an event is known that is too long to be read. */
export const IDENTITY = [
  'type',
  'object.metadata.namespace',
  'object.metadata.name',
  'object.metadata.uid',
  'object.metadata.resourceVersion'
]

/** Throws Malformed, or a SyntaxError, on what is no event, and the server's own error where it tells one. */
export function parseEvent(line: string | LongLine): WatchEvent {
  if (typeof line !== 'string') return eventOf(line)
  const event: unknown = JSON.parse(line)
  const { type, object } = isRecord(event) ? event : {}
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return { type: 'put', object, metadata: readMetadata(object) }
    case 'DELETED':
      return { type: 'deleted', metadata: readMetadata(object) }
    case 'BOOKMARK':
      return bookmark(object)
    case 'ERROR': {
      const { code, reason, message, retryAfterMs } = readStatus(object)
      throw new ApiError(code, reason, message || 'the watch ended with an error', retryAfterMs)
    }
    default:
      throw new Malformed(`an event of type ${String(JSON.stringify(type)).slice(0, 100)}`)
  }
}

/** One object that cannot be read stops nothing else. */
function eventOf({ bytes, texts }: LongLine): WatchEvent {
  const [type, namespace = '', name, uid, resourceVersion] = IDENTITY.map((path) => texts.get(path))
  if (!name || !uid || !resourceVersion) throw new Malformed(`an event of ${bytes} bytes that does not say what it is about`)
  const metadata = { namespace, name, uid, resourceVersion }
  return type === 'DELETED' ? { type: 'deleted', metadata } : { type: 'too-long', metadata }
}

function bookmark(object: unknown): WatchEvent {
  const metadata = isRecord(object) && isRecord(object['metadata']) ? object['metadata'] : {}
  const { resourceVersion, annotations } = metadata
  if (typeof resourceVersion !== 'string') throw new Malformed('a bookmark without a resourceVersion')
  return { type: 'bookmark', resourceVersion, endsList: isRecord(annotations) && annotations[INITIAL_EVENTS_END] === 'true' }
}
