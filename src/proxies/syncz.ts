/** What istiod says of the proxies that are connected to it: `syncz` of its debug interface (pilot/pkg/xds/debug.go, `SyncStatus`). */
import { isRecord } from '../kinds/fields.ts'
import { pushOfNonce, UnknownForm, UUID_LENGTH } from './push-version.ts'
import { ROUTING } from './resource-types.ts'

/** Read before others have their turn, within a millisecond: a proxy takes 1 to 3 KB. */
const PORTION_BYTES = 64 << 10
const MOST_BYTES = 256 << 10
/** More are no answer of an istiod, which serves some thousands. */
const MOST_PROXIES = 100_000
const [OPEN, CLOSE, QUOTE, BACKSLASH] = [0x7b, 0x7d, 0x22, 0x5c]

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
  /** `sidecar`, `router`, `waypoint`, `ztunnel`; '' where istiod does not say. */
  readonly kind: string
  /** By the URL of the type, of those that decide where requests go. */
  readonly types: ReadonlyMap<string, Watched>
}

/** Reads an answer some proxies at a time and lets others have their turn between. Throws UnknownForm where it is none. */
export async function readSyncz(json: Buffer): Promise<ProxyStatus[]> {
  const proxies: ProxyStatus[] = []
  const pushes = new Map<string, number>()
  for (const text of portions(json)) {
    for (const entry of parsed(text)) proxies.push(statusOf(entry, pushes))
    if (proxies.length > MOST_PROXIES) throw new UnknownForm(`syncz has more than ${MOST_PROXIES} proxies`)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return proxies
}

/** A JSON array of objects cut between its elements. */
function* portions(json: Buffer): Generator<string> {
  if (json[0] !== 0x5b) throw new UnknownForm(`syncz is no list: ${JSON.stringify(json.toString('utf8', 0, 120))}`)
  for (let start = 1; start < json.length; ) {
    const end = endOfPortion(json, start)
    const text = json.toString('utf8', start, end).replace(/^,/, '')
    if (text !== ']') yield end === json.length ? `[${text}` : `[${text}]`
    start = end
  }
}

/** Behind the first element, found by its braces, that makes a portion long enough; the end of everything where none does. */
function endOfPortion(json: Buffer, start: number): number {
  let depth = 0
  for (let at = start; at < json.length; at += 1) {
    const byte = json[at]
    if (byte === QUOTE) at = endOfText(json, at)
    else if (byte === OPEN) depth += 1
    else if (byte === CLOSE) {
      depth -= 1
      if (depth === 0 && at - start >= PORTION_BYTES) return at + 1
    }
    if (at - start > MOST_BYTES) throw new UnknownForm('syncz has an entry that is too long')
  }
  return json.length
}

/** Where the text that begins there has its closing quote. */
function endOfText(json: Buffer, start: number): number {
  for (let end = json.indexOf(QUOTE, start + 1); end !== -1; end = json.indexOf(QUOTE, end + 1)) {
    let escapes = 0
    while (json[end - 1 - escapes] === BACKSLASH) escapes += 1
    if (escapes % 2 === 0) return end
  }
  return json.length
}

function parsed(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text)
    if (Array.isArray(value)) return value
  } catch (cause) {
    throw new UnknownForm('syncz is no JSON', { cause })
  }
  throw new UnknownForm('syncz is no list')
}

function statusOf(entry: unknown, pushes: Map<string, number>): ProxyStatus {
  if (!isRecord(entry) || typeof entry['proxy'] !== 'string') throw new UnknownForm('syncz has an entry without a proxy')
  const resources = entry['resources'] ?? {}
  if (!isRecord(resources)) throw new UnknownForm('syncz does not say what the proxies watch')
  return {
    proxy: entry['proxy'],
    kind: String(entry['proxy_type'] ?? ''),
    types: new Map(ROUTING.filter((type) => Object.hasOwn(resources, type)).map((type) => [type, watched(resources[type], pushes)]))
  }
}

function watched(status: unknown, pushes: Map<string, number>): Watched {
  if (!isRecord(status)) throw new UnknownForm('syncz does not say what the proxies watch')
  const text = (name: string) => (typeof status[name] === 'string' ? status[name] : '')
  const [sent, acked] = [text('sent'), text('acked')]
  return { sent: numberOf(sent, pushes), acked: numberOf(acked, pushes), isAnswered: sent === acked, error: text('lastError') }
}

/** Most proxies are at the same push. */
function numberOf(nonce: string, pushes: Map<string, number>): number {
  const known = pushes.get(nonce.slice(0, -UUID_LENGTH))
  if (known !== undefined) return known
  const push = pushOfNonce(nonce)
  pushes.set(nonce.slice(0, -UUID_LENGTH), push)
  return push
}
