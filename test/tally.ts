import { Parser, type Result } from 'tap-parser'

/** What a run, or a part of it, came to. One assertion counts one, wherever it stands. */
export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** What is worth showing while the tests run. */
export interface Listener {
  /** A test file is through; `fault` says why it counts as failed although no assertion of its failed, `timeMs` how long it took where tap says. */
  file(name: string, counts: Counts, fault: string | undefined, timeMs: number | undefined): void
  /** An assertion failed, or a subtest failed without one (it timed out, or missed its plan). */
  failure(result: Result): void
  /** Something that a test printed. */
  text(line: string): void
}

const NOTHING: Counts = { passed: 0, failed: 0, skipped: 0 }

/** Counts the raw TAP of a whole run as it comes: a file that ends badly, asserts nothing or is not run counts one failed. */
export async function tally(tap: AsyncIterable<string>, files: readonly string[], listener: Listener): Promise<Counts> {
  let total = NOTHING
  const missing = new Set(files)
  const finish = (name: string, counts: Counts, fault?: string, timeMs?: number) => {
    const own = fault === undefined ? counts : add(counts, { ...NOTHING, failed: 1 })
    total = add(total, own)
    missing.delete(name)
    listener.file(name, own, fault, timeMs)
  }

  const parser = new Parser()
  follow(parser, listener, (file, counts) => finish(nameOf(file), counts, fault(file, counts), file.time ?? undefined))
  for await (const chunk of tap) parser.write(chunk)
  parser.end()

  for (const name of missing) finish(name, NOTHING, 'was not run')
  return total
}

/** Calls back for each point of one level with the counts below it. */
function follow(parser: Parser, listener: Listener, point: (result: Result, below: Counts) => void): void {
  let below = NOTHING
  parser.on('child', (child: Parser) => {
    follow(child, listener, (result, deeper) => {
      const isLeaf = total(deeper) === 0 || (!result.ok && deeper.failed === 0)
      if (isLeaf && isFailure(result)) listener.failure(result)
      below = add(below, isLeaf ? add(deeper, one(result)) : deeper)
    })
  })
  parser.on('assert', (result: Result) => {
    const counts = below
    below = NOTHING
    point(result, counts)
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

/** Where tap gave a file up, the point is about the time-out, and the file is what expired. */
function nameOf({ name, diag }: Result): string {
  return typeof diag?.expired === 'string' ? diag.expired : name
}

function fault(file: Result, counts: Counts): string | undefined {
  if (file.diag?.expired !== undefined) return 'timed out'
  if (!file.ok && counts.failed === 0) return 'ended badly'
  return total(counts) === 0 ? 'asserted nothing' : undefined
}

/** Tap's own remarks: names of subtests, times, totals, plans after the fact. */
function isBookkeeping(text: string): boolean {
  return /^\s*(?:# (?:Subtest: |time=|timeout=|\{ total: |No coverage generated|\(skip: |failed |test count\()|1\.\.\d+\s*$)/.test(text)
}

function add(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }
}

function total({ passed, failed, skipped }: Counts): number {
  return passed + failed + skipped
}
