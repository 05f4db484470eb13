/** `npm run docs`: writes every page, and every part of one, that is made from the sources. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { COVERAGE_PAGE, coveragePage } from './coverage-page.ts'
import { ERRORS_PAGE, errorsPage } from './errors-page.ts'
import { README, readme } from './readme.ts'
import { rulePages } from './rule-pages.ts'
import { SESSION_PAGES, session } from './sessions.ts'
import { VALUES_SCHEMA, valuesSchema } from './values-schema.ts'
import { VALUES_PAGE, valuesPage } from './values-table.ts'

const ROOT = join(import.meta.dirname, '../..')

/** What is made, by its path: in an order in which each may read what was made before. */
export const MADE: readonly (readonly [path: string, make: () => string])[] = [
  [VALUES_SCHEMA, valuesSchema],
  [VALUES_PAGE, valuesPage],
  [ERRORS_PAGE, errorsPage],
  [COVERAGE_PAGE, coveragePage],
  [README, readme],
  ...[...(await rulePages())].map(([path, text]) => [path, () => text] as const)
]

if (import.meta.main) {
  for (const [path, make] of MADE) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true })
    writeFileSync(join(ROOT, path), make())
  }
  for (const page of SESSION_PAGES) writeFileSync(join(ROOT, page), await session(page))
}
