/** JSON of strangers: bounded before anything is made of it. */
import { HitlessError } from '../errors.ts'

/** The API's own objects are some twenty deep; what walks them recursively takes a few thousand. */
const MOST_DEPTH = 512
/** An object or list of 3 bytes takes some 60 parsed. Two objects of 1.5 MiB, the most that etcd stores, of nothing else have as many. */
const MOST_PARTS = 1_048_576

const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]

/** The value. Throws HITLESS_BAD_JSON, and HITLESS_TOO_LARGE where it is nested too deeply or made of too many parts. */
export function parseJson(bytes: Buffer): unknown {
  if (!isBounded(bytes)) throw new HitlessError('HITLESS_TOO_LARGE', `the body is nested deeper than ${MOST_DEPTH}, or has too many parts`)
  try {
    return JSON.parse(bytes.toString())
  } catch {
    // Not passed on as the cause: V8 quotes the text in its message, and bodies are not logged.
    throw new HitlessError('HITLESS_BAD_JSON', 'the body is no JSON')
  }
}

function isBounded(bytes: Buffer): boolean {
  let depth = 0
  let parts = 0
  let inText = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) inText = !inText
    else if (inText) {
      if (byte === BACKSLASH) at++
    } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      if (++depth > MOST_DEPTH || ++parts > MOST_PARTS) return false
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) depth--
  }
  return true
}
