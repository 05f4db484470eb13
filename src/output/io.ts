/** What a command may use of the process: given by main, so that commands can be run by tests. */

export interface Io {
  readonly out: (text: string) => unknown
  readonly err: (text: string) => unknown
  readonly stdin: () => string
  readonly writeFile: (file: string, text: string) => void
  /** Colours may be used on standard output. */
  readonly colour: boolean
  readonly columns: number
  readonly env: Readonly<Record<string, string | undefined>>
  readonly nowMs: () => number
  /** Of hitless itself. */
  readonly version: string
  /** Ends when the process is asked to stop. */
  readonly signal: AbortSignal
}

/** Exit codes of every command. */
export const EXIT = { ok: 0, denied: 1, usage: 2, unreachable: 3 } as const

export type OutputFormat = 'text' | 'json' | 'yaml'

const ESCAPE = '\u001b'

/** Text for a terminal: names are written by strangers, so control characters and those that turn the direction of text become spaces. Lines and colours stay. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (mark, at: number) => {
    const isColour = mark === ESCAPE && /^\[\d{1,2}m/.test(text.slice(at + 1, at + 5))
    return mark === '\n' || isColour ? mark : ' '
  })
}
