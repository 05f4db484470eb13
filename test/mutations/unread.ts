/** The fields that hitless is known not to read. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from 'js-yaml'

export interface Unread {
  /** Each a path, or a part of one, without the places of lists: `http.retries`. */
  readonly fields: readonly string[]
  readonly reason: string
}

/** By kind. */
export function unread(): Readonly<Record<string, readonly Unread[]>> {
  return load(readFileSync(join(import.meta.dirname, 'unread.yaml'), 'utf8')) as Readonly<Record<string, readonly Unread[]>>
}

/** `field` is a part of this path, or one above it; where it stands in a list makes no difference. */
export function covers(field: string, path: string): boolean {
  return `.${path.replaceAll('[]', '')}.`.includes(`.${field}.`)
}
