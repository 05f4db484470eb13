/** What a command may use of the process: given by main, so that commands can be run by tests. */
import type { HitlessError } from '../errors.ts'
import { json } from './json.ts'
import { line, wrapped } from './text.ts'
import { yaml } from './yaml.ts'

export interface Io {
  readonly out: (text: string) => unknown
  readonly err: (text: string) => unknown
  readonly stdin: () => string
  readonly writeFile: (file: string, text: string) => void
  /** Colours may be used on standard output. */
  readonly colour: boolean
  /** Of standard output; infinite where that is no terminal. */
  readonly columns: number
  /** Shows a line on standard error in place of the last such; '' takes it away. null where that is no terminal. */
  readonly status: ((text: string) => void) | null
  readonly env: Readonly<Record<string, string | undefined>>
  readonly nowMs: () => number
  /** CPU time of this thread. */
  readonly busyMs: () => number
  /** Of hitless itself. */
  readonly version: string
  /** Ends when the process is asked to stop. Who looks at it stops by it; a command that never does is ended at once, even while it computes or waits for input. */
  readonly signal: AbortSignal
}

/** Exit codes of every command. */
export const EXIT = { ok: 0, denied: 1, usage: 2, unreachable: 3 } as const

export type OutputFormat = 'text' | 'json' | 'yaml'

/** A result for people, as wide as their terminal is. */
export function printText(text: string, { out, columns }: Pick<Io, 'out' | 'columns'>): void {
  out(wrapped(text, columns))
}

/** A result for machines. */
export function printData(value: unknown, format: 'json' | 'yaml', { out }: Io): void {
  out(format === 'json' ? json(value) : yaml(value))
}

/** Tells of bad input on standard error, a line each. */
export function printErrors(errors: readonly HitlessError[], { err }: Io): void {
  for (const { code, message } of errors) err(line([message, ` [${code}]`], false))
}
