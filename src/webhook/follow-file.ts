/** A file that others change while the process runs, such as one of a mounted ConfigMap or Secret. */
import { readFileSync } from 'node:fs'

/** Looked at by name and by content: a mounted file changes by a link that is swapped, of which a watch on the file itself tells nothing. */
const LOOK_MS = 1000

/**
 * Calls `changed` with each content that differs from the one before, which is `content` at first; null where the file cannot be read.
 * Keeps no process alive.
 */
export function followFile(file: string, content: string | null, changed: (content: string | null) => void, signal: AbortSignal): void {
  let last = content
  const look = () => {
    const next = readOrNull(file)
    if (next === last) return
    last = next
    changed(next)
  }
  const timer = setInterval(look, LOOK_MS).unref()
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
