/** What istiod says of the proxies that are connected to it: `syncz` of its debug interface (pilot/pkg/xds/debug.go, `SyncStatus`). */
import { isRecord } from '../kinds/fields.ts'
import { pushOfNonce, UnknownForm } from './push-version.ts'

/** One proxy takes 1 to 3 KB. */
const MOST_BYTES = 256 << 10
/** As long as one step of parsing may keep everything else waiting. */
const STEP_MS = 5

/** One type of resources that a proxy watches: the pushes in which it was sent last, and which it acknowledged last. */
export interface Watched {
  readonly sent: number
  readonly acked: number
  /** It has answered to the last that it was sent. */
  readonly isAnswered: boolean
  /** Why it rejected what it was sent last, in its own words; ''. */
  readonly error: string
}

export interface ProxyStatus {
  /** `NAME.NAMESPACE` */
  readonly proxy: string
  /** By the URL of the type. */
  readonly types: ReadonlyMap<string, Watched>
}

/** Reads an answer proxy by proxy and lets others have their turn between. Throws UnknownForm where it is none. */
export async function readSyncz(json: Buffer): Promise<ProxyStatus[]> {
  const proxies: ProxyStatus[] = []
  let sinceMs = performance.now()
  for (const text of elements(json)) {
    proxies.push(statusOf(parsed(text)))
    if (performance.now() - sinceMs < STEP_MS) continue
    await new Promise((resolve) => setImmediate(resolve))
    sinceMs = performance.now()
  }
  return proxies
}

/** The elements of a JSON array of objects, found by their braces. */
function* elements(json: Buffer): Generator<string> {
  const [open, close, quote, backslash] = [0x7b, 0x7d, 0x22, 0x5c]
  if (json[0] !== 0x5b) throw new UnknownForm(`syncz is no list: ${JSON.stringify(json.toString('utf8', 0, 120))}`)
  let [depth, start, isText] = [0, 0, false]
  for (let at = 1; at < json.length; at += 1) {
    const byte = json[at]
    if (isText) {
      if (byte === backslash) at += 1
      else if (byte === quote) isText = false
    } else if (byte === quote) isText = true
    else if (byte === open) {
      if (depth === 0) start = at
      depth += 1
    } else if (byte === close) {
      depth -= 1
      if (depth === 0) yield json.toString('utf8', start, at + 1)
    }
    if (depth > 0 && at - start > MOST_BYTES) throw new UnknownForm('syncz has an entry that is too long')
  }
  if (depth !== 0) throw new UnknownForm('syncz was cut')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new UnknownForm('syncz has an entry that is no JSON', { cause })
  }
}

function statusOf(entry: unknown): ProxyStatus {
  if (!isRecord(entry) || typeof entry['proxy'] !== 'string') throw new UnknownForm('syncz has an entry without a proxy')
  const resources = entry['resources'] ?? {}
  if (!isRecord(resources)) throw new UnknownForm('syncz does not say what the proxies watch')
  return { proxy: entry['proxy'], types: new Map(Object.entries(resources).map(([type, status]) => [type, watched(status)])) }
}

function watched(status: unknown): Watched {
  if (!isRecord(status)) throw new UnknownForm('syncz does not say what the proxies watch')
  const text = (name: string) => (typeof status[name] === 'string' ? status[name] : '')
  const [sent, acked] = [text('sent'), text('acked')]
  return { sent: pushOfNonce(sent), acked: pushOfNonce(acked), isAnswered: sent === acked, error: text('lastError') }
}
