/** RE2, the language of Envoy's regular expressions. They are written by strangers and never given to JavaScript's own engine. */
import { RE2JS } from 're2js'

/** Compiled patterns, oldest first; a pattern costs some 150 microseconds to compile. */
const compiled = new Map<string, RE2JS | null>()
const MOST_COMPILED = 1000
/** Envoy refuses larger programs by default; so long a pattern is not worth deciding. */
const LONGEST_PATTERN = 1024
/** Nor is whether it matches such a text: the engine takes a step for each character and each part of the pattern. */
const LONGEST_TEXT = 1024

/** The pattern is valid RE2. */
export function isRe2(pattern: string): boolean {
  return compile(pattern) !== null
}

/** The pattern matches the whole text, as Envoy asks of a path or header [a23]. A pattern that is no RE2 matches nothing. */
export function matchesWhole(pattern: string, text: string): boolean {
  if (text.length > LONGEST_TEXT) return false
  return compile(pattern)?.matches(text) ?? false
}

/** Every path is matched: `.*`, `/.*`, and these with anchors (5.1). Other spellings count as not doing so. */
export function matchesEveryPath(pattern: string): boolean {
  const bare = pattern.replace(/^\^/, '').replace(/\$$/, '')
  return bare === '.*' || bare === '/.*'
}

function compile(pattern: string): RE2JS | null {
  const known = compiled.get(pattern)
  if (known !== undefined) return known
  const program = tryCompile(pattern)
  const [oldest] = compiled.keys()
  if (oldest !== undefined && compiled.size >= MOST_COMPILED) compiled.delete(oldest)
  compiled.set(pattern, program)
  return program
}

function tryCompile(pattern: string): RE2JS | null {
  if (pattern.length > LONGEST_PATTERN) return null
  try {
    return RE2JS.compile(pattern)
  } catch {
    return null // the engine's only way to say that a pattern is not RE2
  }
}
