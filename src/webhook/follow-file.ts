/** A file that others change while the process runs, such as one of a mounted ConfigMap or Secret. */
import { readFileSync } from 'node:fs'

/** A mounted file changes by a link that is swapped, of which a watch on the file itself tells nothing: so its content is read again and again. */
const LOOK_MS = 1000

/**
 * Calls `changed` with each content that differs from the one before, which is `content` at first; null where the file cannot be read.
 * Keeps no process alive.
 */
export function followFile(
  file: string,
  content: string | null,
  changed: (content: string | null) => void,
  signal: AbortSignal,
  everyMs = LOOK_MS
): void {
  let last = content
  const look = () => {
    const next = readOrNull(file)
    if (next === last) return
    last = next
    changed(next)
  }
  const timer = setInterval(look, everyMs).unref()
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
