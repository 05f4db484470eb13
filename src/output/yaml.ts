import { dump } from 'js-yaml'
import { json } from './json.ts'

/** What a plain or a folded text of YAML shows as it is, and a terminal or a CI system obeys. */
const OBEYED = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]|^\s*::|##[\w-]*\[/mu

/** YAML; in its form of JSON where only that can escape what somebody would obey. */
export function yaml(value: unknown): string {
  // Fields that are undefined are no data, as in JSON.
  const text = dump(JSON.parse(JSON.stringify(value)), { noRefs: true })
  return OBEYED.test(text) ? json(value) : text
}
