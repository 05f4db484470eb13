/** What can go wrong with a watch under way, and what the reflector is to take it for. */
import type { Interruption } from '../../../src/cluster/observe.ts'
import type { Stream } from './fault-proxy.ts'

export interface StreamFault {
  readonly name: string
  readonly why: Interruption
  readonly harm: (stream: Stream) => void
}

export const STREAM_FAULTS: readonly StreamFault[] = [
  { name: 'a reset connection', why: 'broken', harm: (stream) => stream.reset() },
  { name: 'a half-open connection', why: 'idle', harm: (stream) => stream.freeze() },
  { name: 'a stream cut within an event', why: 'broken', harm: (stream) => stream.end('{"type":"ADDED","object":{"metadata":') },
  { name: 'a line that is no JSON', why: 'malformed', harm: (stream) => stream.inject('{"type":"ADDED",oops}\n') },
  { name: 'an event without an object', why: 'malformed', harm: (stream) => stream.inject('{"type":"ADDED"}\n') },
  { name: 'null for an event', why: 'malformed', harm: (stream) => stream.inject('null\n') },
  { name: 'history that is gone', why: 'expired', harm: (stream) => stream.inject(errorEvent(410, 'Expired')) },
  { name: 'another error in the stream', why: 'refused', harm: (stream) => stream.inject(errorEvent(500, 'InternalError')) },
  {
    name: 'a server that went back in time',
    why: 'expired',
    harm: (stream) => stream.inject('{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"1"}}}\n')
  }
]

export function errorEvent(code: number, reason: string): string {
  return `${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code, reason, message: reason } })}\n`
}
