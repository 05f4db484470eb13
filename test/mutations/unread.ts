/** The fields that are known not to be read, and those that are read but that no mutant changes. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from 'js-yaml'

export interface Listed {
  /** Each a path, or a part of one, without the places of lists: `http.retries`. */
  readonly fields: readonly string[]
  readonly reason: string
}

/** By kind. */
type Lists = Readonly<Record<string, readonly Listed[]>>

export function unread(): Lists {
  return read('unread.yaml')
}

export function unchanged(): Lists {
  return read('unchanged.yaml')
}

function read(name: string): Lists {
  return load(readFileSync(join(import.meta.dirname, name), 'utf8')) as Lists
}

/** `field` is a part of this path, or one above it; where it stands in a list makes no difference. */
export function covers(field: string, path: string): boolean {
  return `.${path.replaceAll('[]', '')}.`.includes(`.${field}.`)
}
