import { Parser, type Result } from 'tap-parser'

/** What a run, or a part of it, came to. One assertion counts one, wherever it stands. */
export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** How the process of a test file ended. */
export interface Ending {
  /** Its exit code; null where a signal ended it. */
  readonly code: number | null
  readonly isLate: boolean
}

/** What a test file came to; `fault` says why it counts as failed although no assertion of its failed. */
export interface FileTally {
  readonly counts: Counts
  readonly fault: string | undefined
}

/** What is worth showing while a test file runs. */
export interface Listener {
  /** An assertion failed, or a subtest failed without one (it timed out, or missed its plan). */
  failure(result: Result): void
  /** Something that a test printed. */
  text(line: string): void
  /** A point of the top level, with what it counts: where several files share a process, each is one. */
  part?(name: string, counts: Counts): void
}

export const NOTHING: Counts = { passed: 0, failed: 0, skipped: 0 }

/** Counts the raw TAP of one file as it comes: a file that ends badly or asserts nothing counts one failed. */
export async function tally(tap: AsyncIterable<string>, ended: Promise<Ending>, listener: Listener): Promise<FileTally> {
  let counts = NOTHING
  const parser = new Parser()
  follow(parser, listener, (below, { name }) => {
    counts = add(counts, below)
    listener.part?.(name, below)
  })
  for await (const chunk of tap) parser.write(chunk)
  parser.end()
  const { code, isLate } = await ended
  // A parser that is not content, without a failed point, has seen no plan: the file left early, maybe with code 0.
  const fault = faultOf(counts, isLate, code === 0 && (parser.ok || counts.failed > 0))
  return { fault, counts: fault === undefined ? counts : add(counts, { ...NOTHING, failed: 1 }) }
}

export function add(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }
}

/** Calls back for each point of one level with what it counts, those below it included. */
function follow(parser: Parser, listener: Listener, counted: (counts: Counts, result: Result) => void): void {
  let below = NOTHING
  parser.on('child', (child: Parser) => {
    follow(child, listener, (counts) => {
      below = add(below, counts)
    })
  })
  parser.on('assert', (result: Result) => {
    const isLeaf = total(below) === 0 || (!result.ok && below.failed === 0)
    if (isLeaf && isFailure(result)) listener.failure(result)
    counted(isLeaf ? add(below, one(result)) : below, result)
    below = NOTHING
  })
  for (const event of ['extra', 'comment']) parser.on(event, (text: string) => isBookkeeping(text) || listener.text(text))
}

function one(result: Result): Counts {
  if (isFailure(result)) return { ...NOTHING, failed: 1 }
  return result.ok && result.skip === false && result.todo === false ? { ...NOTHING, passed: 1 } : { ...NOTHING, skipped: 1 }
}

function isFailure({ ok, skip, todo }: Result): boolean {
  return !ok && skip === false && todo === false
}

function faultOf(counts: Counts, isLate: boolean, isWhole: boolean): string | undefined {
  if (isLate) return 'timed out'
  if (!isWhole && counts.failed === 0) return 'ended badly'
  return total(counts) === 0 ? 'asserted nothing' : undefined
}

/** Tap's own remarks: names of subtests, times, totals, plans after the fact. */
function isBookkeeping(text: string): boolean {
  return /^\s*(?:# (?:Subtest: |time=|timeout=|\{ total: |No coverage generated|\(skip: |failed |test count\()|1\.\.\d+\s*$)/.test(text)
}

function total({ passed, failed, skipped }: Counts): number {
  return passed + failed + skipped
}
