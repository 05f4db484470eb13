/** The text that users see: one line, the important words first, the rule's id in brackets. */
import type { Finding } from '../rules/rule.ts'

/** Longer messages are cut by the tools that show them. */
const LONGEST_MESSAGE = 1024
/** What the API server advises for a warning. */
const LONGEST_WARNING = 120
/** Findings that one message may number: of no shorter sentences would more fit into it. */
const MOST_SENTENCES = 30
/** The API server drops all warnings of an answer beyond 4 KiB together. */
const MOST_LINES = 5
/** Warnings of one answer: nobody reads more, and so many fit into 4 KiB. */
const MOST_WARNINGS = 25
const MOST_NOTES = 5

/** Names and paths of others may be megabytes long: no more of a text is looked at than could be shown many times over. */
const LONGEST_WALKED = 8 * LONGEST_MESSAGE

/** `hitless: <message>. <remedy>. [rule]`, numbered when several; at most 1 KiB of UTF-8. */
export function denial(findings: readonly Finding[], hint: string): string {
  const sentences = findings.slice(0, MOST_SENTENCES).map(sentence)
  const tail = hint === '' ? '' : ` ${hint}`
  const text = (shown: readonly string[]) => {
    const numbered = shown.length === 1 ? shown[0] : shown.map((each, at) => `(${at + 1}) ${each}`).join(' ')
    const left = findings.length - shown.length
    return plain(`hitless: ${numbered}${left > 0 ? ` (and ${left} more)` : ''}${tail}`)
  }
  for (let count = sentences.length; count > 1; count--) {
    const whole = text(sentences.slice(0, count))
    if (Buffer.byteLength(whole) <= LONGEST_MESSAGE) return whole
  }
  return fitFirst(findings[0], text(sentences.slice(0, 1)))
}

/** Notes, and findings, as warnings of at most 120 characters; what more there is, is counted. */
export function warnings(notes: readonly string[], findings: readonly Finding[]): string[] {
  const lines = notes.slice(0, MOST_NOTES).map(warningText)
  if (notes.length > MOST_NOTES) lines.push(`and ${notes.length - MOST_NOTES} more that is not judged`)
  for (const [at, finding] of findings.entries()) {
    const next = warningOf(finding)
    if (at > 0 && lines.length + next.length >= MOST_WARNINGS) return [...lines, `and ${findings.length - at} more findings`]
    for (const each of next) lines.push(each)
  }
  return lines
}

/** What would be refused, with the whole of its message, and the other warnings of the write after it. */
export function observation(message: string, others: readonly string[]): string[] {
  return [...wrap(`hitless would refuse this: ${message.replace(/^hitless: /, '')}`, MOST_WARNINGS), ...others].slice(0, MOST_WARNINGS)
}

/** Cut between words, and going on in the next; the rule comes first. */
function warningOf({ rule, message, remedy }: Finding): string[] {
  return wrap(plain(`[${rule}] ${walked(message)}. ${walked(remedy)}.`), MOST_LINES)
}

/** On one line, of at most 120 characters. */
export function warningText(text: string): string {
  return cut(plain(text), LONGEST_WARNING)
}

function sentence({ message, remedy, rule }: Finding): string {
  return `${walked(message)}. ${walked(remedy)}. [${rule}]`
}

/** Names can be 253 characters each: a single sentence that is too long loses its middle, never what to do or the rule. */
function fitFirst(finding: Finding | undefined, whole: string): string {
  if (finding === undefined || Buffer.byteLength(whole) <= LONGEST_MESSAGE) return whole
  const end = plain(` ${finding.remedy}. [${finding.rule}]`)
  const tail = finding.remedy.length > LONGEST_MESSAGE || Buffer.byteLength(end) > LONGEST_MESSAGE / 2 ? ` [${finding.rule}]` : end
  return line(`hitless: ${finding.message}.`, tail)
}

/** One line of at most 1 KiB of UTF-8, of which `text` is cut and `tail` is not. */
export function line(text: string, tail: string): string {
  const room = LONGEST_MESSAGE - Buffer.byteLength(tail)
  const whole = plain(text)
  return `${Buffer.byteLength(whole) <= room ? whole : cutBytes(whole, room)}${tail}`
}

/** Control characters, and those that turn the direction of text, could forge lines in a terminal or log. */
function plain(text: string): string {
  return walked(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
}

function walked(text: string): string {
  return text.length <= LONGEST_WALKED ? text : text.slice(0, LONGEST_WALKED)
}

function cut(text: string, longest: number): string {
  const letters = [...text]
  return letters.length <= longest ? text : `${letters.slice(0, longest - 1).join('')}…`
}

/** Lines of at most 120 characters, those after the first marked as going on. */
function wrap(text: string, most: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && [...longer].length > LONGEST_WARNING) {
      lines.push(line)
      line = `… ${word}`
    } else line = longer
  }
  return [...lines, line].slice(0, most).map((each) => cut(each, LONGEST_WARNING))
}

function cutBytes(text: string, most: number): string {
  let letters = [...text]
  while (Buffer.byteLength(letters.join('')) > most - 3) letters = letters.slice(0, -Math.max(1, Math.floor(letters.length / 64)))
  return `${letters.join('')}…`
}
