/** RE2, the language of Envoy's regular expressions. They are written by strangers and never given to JavaScript's own engine. */
import { RE2JS } from 're2js'

/** Larger programs are not decided: `.{0,1000}` is one of 2,000 instructions; some dozens of it take seconds to compile, and minutes to run. */
const LARGEST_PROGRAM = 4096
const LONGEST_PATTERN = 2 * LARGEST_PROGRAM
/** Nor is whether a program matches such a text: the engine takes up to one step for each character and each instruction. */
const LONGEST_TEXT = 1024
/** Compiled programs are kept up to so many instructions in all, of some 100 bytes each; the oldest go first. */
const MOST_KEPT = 200_000
/** Instructions, or characters, that make one step of work. */
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

/**
 * The pattern matches the text and whatever begins with it, as `/cart.*` does of `/cart`: what its open end leaves to the rest of the text it takes whatever
 * that is. Patterns without such an end count as not doing so.
 */
export function matchesAllBelow(pattern: string, text: string): boolean {
  return matchesWhole(pattern, text) && hasOpenEnd(pattern)
}

/** The steps of work that these take. */
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

const OPEN_ENDS = new Set(['.*', '(.*)', '(?:.*)'])
const LONGEST_END = 6
/** What comes after the place decides whether these hold there; what is quoted is not read here. */
const LOOK_AHEAD = new Set(['$', '\\b', '\\B', '\\z', '\\Q'])

/** Its last part takes any text, in whichever way those before it are met. */
function hasOpenEnd(pattern: string): boolean {
  const parts = partsOf(pattern)
  if (parts.at(-1) === '$') parts.pop()
  if (hasChoice(parts) || parts.some((part) => LOOK_AHEAD.has(part))) return false
  // A dot that is escaped is one part with its backslash.
  for (let length = 2; length <= LONGEST_END; length++) if (OPEN_ENDS.has(parts.slice(-length).join(''))) return true
  return false
}

/** What every text begins with that the pattern matches, as far as its first parts are plain characters. */
export function literalStart(pattern: string): string {
  if (pattern.length > LONGEST_PATTERN) return ''
  const parts = partsOf(pattern)
  if (hasChoice(parts)) return ''
  const first = parts[0] === '^' || parts[0] === '\\A' ? 1 : 0
  let text = ''
  for (let at = first; at < parts.length; at++) {
    const [, escaped, literal = escaped] = LITERAL.exec(parts[at] ?? '') ?? []
    if (literal === undefined || /^[*?{]/.test(parts[at + 1] ?? '')) break
    text += literal
  }
  return text
}

/** A character, or one that means itself behind a backslash. */
const LITERAL = /^(?:\\(\W)|([^\\^$.|?*+()[{]))$/u

function hasChoice(parts: readonly string[]): boolean {
  let depth = 0
  for (const part of parts) {
    if (part === '(') depth += 1
    if (part === ')') depth -= 1
    if (part === '|' && depth === 0) return true
  }
  return false
}

function partsOf(pattern: string): string[] {
  return [...pattern.matchAll(PARTS)].map(([part]) => part)
}

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
