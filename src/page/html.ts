/** HTML whose every value is escaped, and on one line: names are written by strangers. */
import { oneLine } from '../output/text.ts'

/** Markup of ours. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Value = Html | string | number | null | readonly Value[]

/** A tag for templates; a list is joined, null is nothing. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(strings.reduce((text, part, at) => `${text}${shown(values[at - 1] ?? null)}${part}`))
}

function shown(value: Value): string {
  if (value === null) return ''
  if (value instanceof Html) return value.text
  if (typeof value === 'object') return value.map(shown).join('')
  return oneLine(String(value)).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
