/** The time that the API server grants an answer: `?timeout=5s`, a Go duration. */

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
  ['us', 0.001],
  ['µs', 0.001],
  ['μs', 0.001],
  ['ns', 0.000_001]
])
/** The default and the most that a webhook configuration can ask for (ValidatingWebhook.timeoutSeconds). */
const DEFAULT_MS = 10_000
const MOST_MS = 30_000
/** What is left for the answer to travel back. */
const MARGIN_MS = 200

/** Milliseconds until the answer must be given; the default where `timeout` is absent or no duration. */
export function deadlineMs(timeout: unknown): number {
  const asked = typeof timeout === 'string' ? durationMs(timeout) : null
  const granted = Math.min(asked ?? DEFAULT_MS, MOST_MS)
  return Math.max(granted - MARGIN_MS, granted / 2)
}

/** `1m30s` -> 90000; null where the text is no positive duration. */
function durationMs(text: string): number | null {
  // Anchored parts of one kind only, on a text cut short: no input makes this slow.
  const parts = [...text.slice(0, 64).matchAll(/(\d+(?:\.\d*)?|\.\d+)(h|ms|us|µs|μs|ns|m|s)/gy)]
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text) return null
  const total = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNIT_MS.get(unit ?? '') ?? 0), 0)
  return total > 0 ? total : null
}
