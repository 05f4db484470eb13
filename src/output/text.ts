/** Text for people. Names are written by strangers: whatever they hold, a line stays one line, and no part of it commands a terminal or a CI system. */
import { stripVTControlCharacters, styleText } from 'node:util'

/** Twice the longest denial. What is longer holds names that nobody reads. */
const LONGEST = 2048
const HANGING = 4

/** `1 write`, `2 writes`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

export type Style = 'red' | 'yellow' | 'green' | 'bold' | 'dim'

/** A piece of a line, perhaps in a colour. */
export type Part = string | { readonly text: string; readonly style: Style }

/** One line with its end. Colours come only from `style`, and only where they are wanted; a part that is too long is cut, the others stay. */
export function line(parts: readonly Part[], colour: boolean): string {
  const shown = parts.map((part) =>
    typeof part === 'string' ? { text: cut(part), style: null } : { text: cut(part.text), style: part.style }
  )
  const bare = shown.map(({ text }) => text).join('')
  return `${isCommand(bare) ? ': ' : ''}${shown.map(({ text, style }) => painted(text, style, colour)).join('')}\n`
}

/** Several lines of which none has a colour. */
export function plainLines(texts: readonly string[]): string {
  return texts.map((text) => line([text], false)).join('')
}

/** Text of others on one line: control characters, those that turn its direction and those that nobody sees become spaces. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Noncharacter_Code_Point}]+/gu, ' ').replace(/##(?=[\w-]*\[)/g, '# #')
}

/** `::error` at the start of a line is a command to GitHub, spaces before it or not; `##vso[` and its like, which others obey anywhere, are broken by `oneLine`. */
function isCommand(text: string): boolean {
  return text.trimStart().startsWith('::')
}

/** Lines that are wider than the terminal go on below, further right, between words: what others obey at the start of a line stays behind its word. */
export function wrapped(text: string, columns: number): string {
  return text
    .split('\n')
    .map((row) => (widthOf(row) <= columns ? row : wrappedRow(row, columns)))
    .join('\n')
}

function wrappedRow(row: string, columns: number): string {
  const indent = ' '.repeat(stripVTControlCharacters(row).search(/\S/) + HANGING)
  let width = 0
  return row.replace(/(\s*)(\S+(?:\s+::\S*)*)/g, (all, _, word: string) => {
    const wider = width + widthOf(all)
    const isFull = width > 0 && wider > columns
    width = isFull ? indent.length + widthOf(word) : wider
    return isFull ? `\n${indent}${word}` : all
  })
}

function widthOf(text: string): number {
  return stripVTControlCharacters(text).length
}

function cut(text: string): string {
  const clean = oneLine(text.slice(0, 2 * LONGEST))
  return clean.length <= LONGEST ? clean : `${clean.slice(0, LONGEST).replace(/\p{Cs}$/u, '')}…`
}

function painted(text: string, style: Style | null, colour: boolean): string {
  return colour && style !== null ? styleText(style, text, { validateStream: false }) : text
}
