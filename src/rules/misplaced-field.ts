import type { MisplacedField } from '../kinds/misplaced.ts'
import { formatPath } from '../mesh/names/path.ts'
import { hygieneRule } from './hygiene-rule.ts'

export const misplacedField = hygieneRule({
  id: 'misplaced-field',
  on: ['VirtualService'],
  summary: 'subset or port is written beside destination instead of in it, and the API server drops it',
  description:
    'The API server drops fields that it does not know before any webhook is called, and most clients say nothing. A subset written beside its destination is then ' +
    'gone, and the route sends to every version; a weight written inside is gone too, and the destination gets nothing or everything. Files show it, and so does the annotation ' +
    'in which kubectl keeps what was applied.',
  remedy: 'Move the field: host, subset and port belong in destination, weight beside it.',
  find: ({ after, before }) => {
    if (after === null) return []
    const known = new Set(before?.misplaced.map(textOf))
    return after.misplaced
      .filter((misplaced) => !known.has(textOf(misplaced)))
      .map((misplaced) => ({
        path: misplaced.path,
        message: `the API server drops ${formatPath(misplaced.path)}: ${effectOf(misplaced)}`,
        remedy: misplaced.field === 'weight' ? 'Move it out, beside destination' : `Move it into destination.${misplaced.field}`
      }))
  }
})

function effectOf({ field }: MisplacedField): string {
  if (field === 'subset') return 'traffic goes to every version'
  if (field === 'weight') return 'this destination has no weight'
  return field === 'port' ? 'the destination has no port' : `the destination has no ${field}`
}

function textOf(misplaced: MisplacedField): string {
  return formatPath(misplaced.path)
}
