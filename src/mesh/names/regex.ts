/** RE2, the language of Envoy's regular expressions. They are written by strangers and never given to JavaScript's own engine. */
import { RE2JS } from 're2js'

/** Larger programs are not decided: `.{0,1000}` is one of 2,000 instructions; some dozens of it take seconds to compile, and minutes to run. */
const LARGEST_PROGRAM = 4096
const LONGEST_PATTERN = 2 * LARGEST_PROGRAM
/** Nor is whether a program matches such a text: the engine takes up to one step for each character and each instruction. */
const LONGEST_TEXT = 1024
/** Programs are kept, oldest first, up to so many instructions of some 100 bytes. */
const MOST_KEPT = 200_000
/** So many instructions and characters are a step of work. */
const UNITS_A_STEP = 64

interface Program {
  /** Instructions at most, as estimated before it is compiled. */
  readonly size: number
  /** Compiled when it is first needed; null where the pattern is no RE2. */
  engine?: RE2JS | null
}

const kept = new Map<string, Program>()
let keptSize = 0

/** The pattern is valid RE2, as far as that is asked: one that is too large for us is not refused. */
export function isRe2(pattern: string): boolean {
  const program = programOf(pattern)
  return program.size > LARGEST_PROGRAM || engineOf(pattern, program) !== null
}

/**
 * The pattern matches the whole text, as Envoy asks of a path or header [a23]. A pattern that is no RE2 matches nothing, and of what is too large it is
 * not known that it does.
 */
export function matchesWhole(pattern: string, text: string): boolean {
  const program = programOf(pattern)
  if (text.length > LONGEST_TEXT || program.size > LARGEST_PROGRAM) return false
  return engineOf(pattern, program)?.matches(text) ?? false
}

/** The steps of work that `matchesWhole` takes. */
export function effortToMatch(pattern: string, text: string): number {
  const { size } = programOf(pattern)
  if (text.length > LONGEST_TEXT || size > LARGEST_PROGRAM) return pattern.length / UNITS_A_STEP
  return Math.ceil((size * (text.length + 8)) / UNITS_A_STEP)
}

/** Every path is matched: `.*`, `/.*`, and these with anchors (5.1). Other spellings count as not doing so. */
export function matchesEveryPath(pattern: string): boolean {
  return EVERY_PATH.has(pattern)
}

const EVERY_PATH = new Set(['.*', '/.*'].flatMap((bare) => [bare, `^${bare}`, `${bare}$`, `^${bare}$`]))

function programOf(pattern: string): Program {
  const known = kept.get(pattern)
  if (known !== undefined) return known
  const program = { size: sizeOf(pattern) }
  // What is never compiled costs nothing to keep but its text.
  keep(pattern, program)
  return program
}

function keep(pattern: string, program: Program): void {
  kept.set(pattern, program)
  keptSize += costToKeep(pattern, program)
  for (const [oldest, other] of kept) {
    if (keptSize <= MOST_KEPT) return
    kept.delete(oldest)
    keptSize -= costToKeep(oldest, other)
  }
}

function costToKeep(pattern: string, { size }: Program): number {
  return Math.min(size, LARGEST_PROGRAM) + pattern.length
}

function engineOf(pattern: string, program: Program): RE2JS | null {
  // null is an answer: what is no RE2 is not compiled again.
  if (program.engine === undefined) program.engine = compile(pattern)
  return program.engine
}

function compile(pattern: string): RE2JS | null {
  try {
    return RE2JS.compile(pattern)
  } catch {
    return null // the engine's only way to say that a pattern is not RE2
  }
}

/** How many instructions a pattern may become: one for each of its parts, times its repetitions. Ends as soon as that is too many. */
function sizeOf(pattern: string): number {
  // Not even read: an unclosed `[` is looked for to the end.
  if (pattern.length > LONGEST_PATTERN) return pattern.length
  const outer: number[] = []
  let total = 2
  let last = 0
  for (const [part] of pattern.matchAll(PARTS)) {
    if (total > LARGEST_PROGRAM) break
    if (part === '(') {
      outer.push(total)
      total = 0
    } else if (part === ')') {
      last = total + 2
      total = last + (outer.pop() ?? 0)
    } else if (/^\{\d/.test(part)) {
      const more = last * (repetitions(part) - 1)
      total += more
      last += more
    } else {
      last = part === '*' || part === '+' || part === '?' ? last + 1 : 1
      total += 1
    }
  }
  return outer.reduce((sum, each) => sum + each, total)
}

/** A repetition, a character class, an escape, or any other character. */
const PARTS = /\{\d+(?:,\d*)?\}|\[\^?\]?(?:\\[\s\S]|[^\]\\])*\]|\\[pPx]\{[^}]*\}|\\[\s\S]|[\s\S]/gu

/** `{2}` 2, `{2,}` 3, `{2,5}` 5. */
function repetitions(part: string): number {
  const [least = '0', most] = part.slice(1, -1).split(',')
  if (most === undefined) return Number(least)
  return most === '' ? Number(least) + 1 : Number(most)
}
